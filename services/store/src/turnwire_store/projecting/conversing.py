"""How kept conversations go on: pure, and the same however often an event is told."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from turnwire_contracts.conversation import evolve_conversation
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.ids import ConversationId, TenantId
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_store.feeding.feed import DeadLetter, Entry
from turnwire_store.projecting.reading import ConversationEntry, dead_letter
from turnwire_store.views import ConversationView


class Gone(Struct, frozen=True):
    """A conversation that has no view: it is purged, or was before its last event came."""

    tenant: TenantId
    conversation_id: ConversationId
    entry: Entry


class Conversed(Struct, frozen=True):
    """What a part of the log makes of conversations."""

    written: list[ConversationView]
    gone: list[Gone]
    dead: list[DeadLetter]


def converse(
    entries: Iterable[ConversationEntry], known: Mapping[ConversationId, ConversationView]
) -> Conversed:
    """Tell conversations further; `known` are those that have a view."""
    told: dict[ConversationId, ConversationView | None] = {}
    gone: dict[ConversationId, Gone] = {}
    dead: list[DeadLetter] = []
    for one in entries:
        about = one.conversation_id
        view = told.get(about) if about in told else known.get(about)
        if view is not None and one.entry.sequence <= view.sequence:
            continue
        try:
            told[about] = follow(view, one.entry.sequence, one.event)
        except ImpossibleEventError as error:
            dead.append(dead_letter(one.entry, error))
            told[about] = follow(view, one.entry.sequence, None)
        if told[about] is None:
            gone[about] = Gone(one.tenant, about, one.entry)
    written = [view for view in told.values() if view is not None]
    return Conversed(written, [one for about, one in gone.items() if told[about] is None], dead)


def follow(
    view: ConversationView | None, sequence: int, event: AnyConversationEvent | None
) -> ConversationView | None:
    """Tell a conversation further by one event; an event that has no effect only moves its end.

    Raises `ImpossibleEventError`.
    """
    state = None if view is None else view.conversation
    if event is not None:
        state = evolve_conversation(state, event)
    if state is None:
        return None
    return ConversationView(sequence if view is None else view.created, sequence, state)
