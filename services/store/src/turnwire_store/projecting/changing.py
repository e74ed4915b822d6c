"""How kept turns and conversations change: pure, and the same however often an event is told."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.turn import ImpossibleEventError, evolve
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.feed import FeedEntry
from turnwire_store.projecting.log_excerpt import Change, ConversationEntry, dead_letter
from turnwire_store.views import ConversationView, Revisable, Revision, follow

_DECODER: Final = msgspec.json.Decoder(ClosedTurn)


def revise(response_id: ResponseId, kept: Revisable, changes: Iterable[Change]) -> Revision | None:
    """Change a turn by what it does not say yet; `None` if it says everything."""
    news = [change for change in changes if change.entry.sequence > kept.sequence]
    if not news:
        return None
    turn = _DECODER.decode(kept.turn)
    for change in news:
        turn = _changed(turn, change)
    written = msgspec.json.encode(turn).decode()
    tenant, sequence = turn.request.tenant, news[-1].entry.sequence
    return Revision(response_id, tenant, kept.revised, sequence, turn.deleted, written)


def _changed(turn: ClosedTurn, change: Change) -> ClosedTurn:
    changed = evolve(turn, change.event)
    # Such a change leaves a turn closed.
    return changed if isinstance(changed, ClosedTurn) else turn


class PurgedConversation(Struct, frozen=True):
    """A conversation that has no view: it is purged, or was before its last event came."""

    tenant: TenantId
    conversation_id: ConversationId
    entry: FeedEntry


class Conversed(Struct, frozen=True):
    """What a part of the log makes of conversations."""

    written: list[ConversationView]
    gone: list[PurgedConversation]
    dead: list[DeadLetter]


def converse(
    entries: Iterable[ConversationEntry], kept: Mapping[ConversationId, ConversationView]
) -> Conversed:
    """Tell conversations further; `kept` are those that have a view."""
    views: dict[ConversationId, ConversationView | None] = {}
    gone: dict[ConversationId, PurgedConversation] = {}
    dead: list[DeadLetter] = []
    for one in entries:
        about = one.conversation_id
        view = views.get(about) if about in views else kept.get(about)
        if view is not None and one.entry.sequence <= view.sequence:
            continue
        try:
            views[about] = follow(view, one.entry.sequence, one.event)
        except ImpossibleEventError as error:
            dead.append(dead_letter(one.entry, error))
            views[about] = follow(view, one.entry.sequence, None)
        if views[about] is None:
            gone[about] = PurgedConversation(one.tenant, about, one.entry)
    written = [view for view in views.values() if view is not None]
    return Conversed(written, [one for about, one in gone.items() if views[about] is None], dead)
