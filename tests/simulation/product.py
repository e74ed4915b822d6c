"""The product's own services with their ports swapped: what is real, and what stands in its place.

`serve` of the orchestrator, the store and the gateway is the product's. In the place of the
broker's connection, the model, MongoDB, HTTP, the clock and random ids stand the simulation's own.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from nats.js.api import StreamConfig

from simulation import stand_ins
from simulation.stand_ins import world
from turnwire_chassis.jetstream import broker_clock, inbox_watch, topology
from turnwire_contracts import queues
from turnwire_gateway import serving as gateway
from turnwire_gateway.limits.allowances import Allowance, Allowances
from turnwire_gateway.settings import GatewaySettings
from turnwire_orchestrator import app as orchestrator
from turnwire_orchestrator.settings import OrchestratorSettings
from turnwire_store import app as store
from turnwire_store.settings import StoreSettings

if TYPE_CHECKING:
    from simulation.model import Model
    from simulation.processes import Life
    from simulation.views import SimGenerations

TURN_TIMEOUT_S: Final = 120.0
STREAM_GRACE_S: Final = 4.0
MAX_QUEUE_S: Final = 6.0


LEAST_S: Final = {
    "overloaded": MAX_QUEUE_S,
    "turn_timeout": TURN_TIMEOUT_S,
}
"""By code of a failure: the seconds before which no turn may end so."""

LIMITED: Final = Allowances(
    Allowance(
        requests_per_minute=100_000,
        tokens_per_minute=10_000_000,
        concurrent_turns=1000,
        concurrent_streams=1000,
    )
)


class _LimitedSettings(GatewaySettings):
    @property
    def allowances(self) -> Allowances:  # pyright: ignore[reportIncompatibleVariableOverride] -- no file to read
        return LIMITED


def _no_streams(*_: object) -> list[StreamConfig]:
    """Declare nothing: the broker has its streams from the start."""
    return []


def _model(_: OrchestratorSettings) -> "Model":
    return world().model


def _views(*_: object) -> "SimGenerations":
    return world().views


def _of_queues(*, crowded: bool) -> Iterator[tuple[Any, str, Any]]:
    """Give what is swapped for one schedule, according to whether many clients come at once."""
    if crowded:
        # The power of two in the place of that of eight: ten turns reach every level.
        yield queues, "_BITS_A_LEVEL", 1
        return
    # Figures for operators, and for refusals of an overload, which no other schedule plays.
    yield inbox_watch, "_EVERY_S", math.inf
    # No client has eight turns on their way, so only the first of the levels has any.
    yield queues, "FOREGROUND", queues.FOREGROUND[:1]
    yield queues, "BACKGROUND", queues.BACKGROUND[:1]


def _swaps() -> Iterator[tuple[Any, str, Any]]:
    """Give what stands in the place of what is outside: where, its name, and what it is."""
    yield broker_clock, "time", stand_ins.TimeModule
    yield topology, "streams", _no_streams
    for service in (orchestrator, store, gateway):
        yield service, "connect", stand_ins.connect
    yield orchestrator, "_backends", _model
    yield orchestrator, "_now_ms", stand_ins.now_ms
    yield orchestrator, "uuid", stand_ins.UuidModule
    yield orchestrator, "os", stand_ins.OsModule
    yield store, "Responder", stand_ins.SimResponder
    yield store, "MongoGenerations", _views
    yield store, "uuid4", stand_ins.OneId
    yield store, "now_ms", stand_ins.now_ms
    yield gateway, "_now_ms", stand_ins.now_ms
    yield gateway, "_name", lambda: world().supervisor.current.name
    yield gateway, "_http_server", stand_ins.SimHttpServer
    yield gateway, "Identities", stand_ins.OpenIdentities


def swapped_ports() -> AbstractContextManager[None]:
    """Have what the simulation has in the place of what is outside."""
    return _swapped(list(_swaps()))


def queues_of(extras: str) -> AbstractContextManager[None]:
    """Have the queues that a schedule needs."""
    return _swapped(list(_of_queues(crowded="q" in extras)))


@contextmanager
def _swapped(swaps: Sequence[tuple[Any, str, Any]]) -> Generator[None]:
    former = [(where, name, getattr(where, name)) for where, name, _ in swaps]
    for where, name, stands_in in swaps:
        setattr(where, name, stands_in)
    try:
        yield
    finally:
        for where, name, original in former:
            setattr(where, name, original)


_ORCHESTRATOR = OrchestratorSettings(turn_timeout_s=TURN_TIMEOUT_S, turn_lease_s=5.0)
_CROWDED = OrchestratorSettings(
    turn_timeout_s=TURN_TIMEOUT_S,
    turn_lease_s=5.0,
    max_turns=2,
    max_background_turns=1,
    max_queue_s=MAX_QUEUE_S,
)
_STORE = StoreSettings()
_GATEWAY = _LimitedSettings(
    turn_timeout_s=TURN_TIMEOUT_S, stream_grace_s=STREAM_GRACE_S, max_queue_s=MAX_QUEUE_S
)


async def orchestrate(life: "Life") -> None:
    """Run an orchestrator."""
    settings = _CROWDED if "q" in world().schedule.extras else _ORCHESTRATOR
    await orchestrator.serve(settings, life.lifecycle)


async def project(life: "Life") -> None:
    """Run a store."""
    await store.serve(_STORE, life.lifecycle)


async def serve_clients(life: "Life") -> None:
    """Run a gateway."""
    await gateway.serve(_GATEWAY, life.lifecycle)
