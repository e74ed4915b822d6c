"""Projects one turn anew, from all that the log has of it: what a dead letter asks for."""

import msgspec

from turnwire_contracts import codec
from turnwire_contracts.administration.dead_letters import RetryOutcome
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.events import Purged
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.turn import ImpossibleEventError, fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_store.feed import FeedEntry
from turnwire_store.projecting.batches import ProjectionBatches, ProjectorPorts
from turnwire_store.projecting.view_builder import MAX_TURN_BYTES
from turnwire_store.views import Views

_DECODER = msgspec.json.Decoder(ClosedTurn)


async def retry(ports: ProjectorPorts, tenant: TenantId, response_id: ResponseId) -> RetryOutcome:
    """Bring the view of one turn up to what the log says; doing it again changes nothing.

    Another process may project meanwhile: what is written already is left as it is.
    Raises `FeedLostError`, `LogUnavailableError`, `ViewsUnavailableError`.
    """
    try:
        recorded = await ports.log.read(tenant, response_id)
        turn = fold([one.event for one in recorded])
    except (UnreadableEventError, ImpossibleEventError) as error:
        return RetryOutcome("unprojectable", f"{type(error).__name__}: {error}")
    if _is_gone(turn):
        return RetryOutcome("gone")
    if not isinstance(turn, ClosedTurn):
        return RetryOutcome("running")
    views = ports.generations.views(await ports.generations.serving())
    entries = [
        FeedEntry(subject_of(one.event), codec.encode(one.event), one.sequence) for one in recorded
    ]
    await ProjectionBatches(ports, views, entries[0].sequence - 1).take(entries)
    ports.recent.outdate(response_id)
    if await _was_purged(ports, tenant, response_id):
        # Who projects may have removed its view before this one was written.
        await views.remove([response_id])
        return RetryOutcome("gone")
    return RetryOutcome("projected" if await _says(views, turn) else "rebuild")


def _is_gone(turn: Turn) -> bool:
    return isinstance(turn, NotRequested | Erased)


async def _was_purged(ports: ProjectorPorts, tenant: TenantId, response_id: ResponseId) -> bool:
    events = [one.event for one in await ports.log.read(tenant, response_id)]
    try:
        return any(isinstance(event, Purged) for event in events) or _is_gone(fold(events))
    except ImpossibleEventError:
        return False


async def _says(views: Views, turn: ClosedTurn) -> bool:
    """Tell whether the views say this of a turn, or need not."""
    if not turn.closed.stored or len(msgspec.json.encode(turn)) > MAX_TURN_BYTES:
        return True
    response_id = turn.request.response_id
    kept = (await views.revisable([response_id])).get(response_id)
    return kept is not None and _DECODER.decode(kept.turn) == turn
