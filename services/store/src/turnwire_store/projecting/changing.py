"""How a kept turn changes: pure, and the same however often a change is told."""

from collections.abc import Iterable
from typing import Final

import msgspec

from turnwire_contracts.ids import ResponseId
from turnwire_contracts.turn import ClosedTurn, evolve
from turnwire_store.projecting.reading import Change
from turnwire_store.views import Revisable, Revision

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
