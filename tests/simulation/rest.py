"""What must hold when everything has come to rest: nothing is lost, and all books are balanced."""

from typing import TYPE_CHECKING, Final

import msgspec

from simulation.loop import EPOCH_S
from turnwire_contracts import subjects
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_gateway.limits.limit_state import Clock, LimitState, current
from turnwire_gateway.limits.limiter import SPAN_MS
from turnwire_gateway.limits.window import total
from turnwire_store.chain_position import ChainPosition

if TYPE_CHECKING:
    from simulation.world import World

_TURN: Final = msgspec.json.Decoder(ClosedTurn)
_LIMITS: Final = msgspec.json.Decoder(LimitState)


def is_at_rest(world: "World") -> bool:
    """Tell whether every turn has ended, the views are where the log is, and nothing is held."""
    if not world.broker.is_up or world.laws.unended():
        return False
    if world.views.only.reached < world.broker.streams[subjects.TURNS_STREAM].last:
        return False
    if world.laws.unerased(world.broker.streams[subjects.TURNS_STREAM]):
        return False
    return not _held(world)


def check_at_rest(world: "World") -> None:
    """Check what can only be told at the end. Raises `BrokenLawError`."""
    laws = world.laws
    if unended := laws.unended():
        raise laws.broken("nothing accepted is lost", "; ".join(unended))
    if not world.have_clients_ended:
        raise laws.broken("every client has its answer", "some client still waits")
    if world.supervisor.faults:
        raise laws.broken("no process ends by itself", "; ".join(world.supervisor.faults))
    if not is_at_rest(world):
        kept = world.laws.unerased(world.broker.streams[subjects.TURNS_STREAM])
        detail = f"held: {_held(world)}; kept: {kept}; views at {world.views.only.reached}"
        raise laws.broken("the deployment comes to rest", detail)
    if world.loop.errors:
        name, error = world.loop.errors[0]
        raise laws.broken("no error goes unseen", f"{name}: {error!r}")
    _check_views(world)
    _check_ledger(world)


def _limit_states(world: "World") -> list[LimitState]:
    """Give what the broker has of each tenant's limits, as it counts now."""
    kept = world.broker.streams[subjects.LIMITS_STREAM].kept.values()
    now = Clock(int((EPOCH_S + world.loop.now) * 1000), SPAN_MS)
    return [current(_LIMITS.decode(each.data), now) for each in kept]


def _held(world: "World") -> list[str]:
    """Name what is still held of the limits that count what runs at once."""
    states = _limit_states(world)
    leases = [
        name
        for state in states
        for name, lease in state.leases.items()
        if any(lease.turns.values()) or any(lease.streams.values())
    ]
    return [*leases, *(held for state in states for held in state.background)]


def _check_views(world: "World") -> None:
    """The views are the fold of the log, each at the place that the order of the log gives it."""
    written = world.views.only.written
    places: dict[str, ChainPosition] = {}
    taken: set[ChainPosition] = set()
    ended = [
        (followed.ended_at, response_id, followed.turn)
        for response_id, followed in world.laws.turns.items()
    ]
    for _, response_id, turn in sorted(ended, key=lambda one: one[0]):
        view = written.get(response_id)
        if not isinstance(turn, ClosedTurn) or not turn.closed.stored:
            if view is not None:
                raise world.laws.broken("nothing is kept that is not to be stored", response_id)
            continue
        if view is None or _TURN.decode(view.turn) != turn:
            raise world.laws.broken("views = fold", f"{response_id}: {view}")
        parent = places.get(turn.request.previous_response_id or "")
        place = ChainPosition(response_id, 0)
        if parent is not None:
            after = ChainPosition(parent.chain, parent.depth + 1)
            place = place if after in taken else after
        places[response_id] = place
        taken.add(place)
        if view.place != place:
            raise world.laws.broken("views = fold", f"{response_id} at {view.place}, not {place}")


def _check_ledger(world: "World") -> None:
    """What tenants are charged is what their turns cost; less only where a notice may be lost."""
    states = _limit_states(world)
    charged = sum(total(account.tokens) for state in states for account in state.used.values())
    cost = world.laws.tokens()
    is_recent = world.loop.now - 1000.0 < 50
    if charged > cost or (world.is_calm and is_recent and charged != cost):
        raise world.laws.broken("the ledger is balanced", f"{charged} charged, {cost} used")
