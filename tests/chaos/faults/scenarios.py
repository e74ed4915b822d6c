"""Every fault by name, with how long it lasts in the short form and in the long one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from chaos.faults.clocks import clock_jumps, no_compiler
from chaos.faults.deliveries import delivered, given_back, out_of_order, twice
from chaos.faults.drains import (
    drained,
    handed_over,
    no_client_is_told_an_error,
    only_what_is_given_once_is_gone,
)
from chaos.faults.overload import (
    CLIENTS,
    OVERLOADED,
    few_places,
    some_are_refused_and_some_are_served,
)
from chaos.faults.poison import DEAD_LETTERS_WITHIN_S, poisoned
from chaos.faults.replica_set import (
    ERRORS,
    Document,
    ReplicaSet,
    command_error,
    write_concern_error,
)
from chaos.faults.system import SERVICES, System
from chaos.faults.trial import Fault, Scenario, broken
from chaos.faults.upgrade import no_older_code, upgraded
from turnwire_testing.tcp_proxy import Proxy

LINKS: Final = (
    "gateway-broker",
    "orchestrator-broker",
    "store-broker",
    "guard-broker",
    "tool-runner-broker",
    "store-documents",
    "orchestrator-backend",
    "tool-runner-desk",
)

_WRITES: Final = ("insert", "update")
_READS: Final = ("find", "getMore")
_RETRYABLE: Final = ("RetryableWriteError",)

Break = Callable[[Proxy], None]


def on_links(links: Sequence[str], act: Break) -> Fault:
    """Do something to networks, and heal them."""

    def begin(system: System) -> None:
        for link in links:
            act(system.links[link])

    def end(system: System) -> None:
        for link in links:
            system.links[link].heal()

    return broken(begin, end)


def frozen(name: str) -> Fault:
    """Stop the first process of a service where it is."""
    return broken(
        lambda system: system.service(name).freeze(), lambda system: system.service(name).thaw()
    )


def on_replicas(act: Callable[[ReplicaSet], object]) -> Fault:
    """Do something to the replica set; nothing has to be mended."""
    return broken(lambda system: act(system.replicas), lambda system: system.replicas.be_well())


def answered(commands: Sequence[str], answer: Document, *, is_done: bool = False) -> Fault:
    """Let the next commands be answered with an error."""
    return on_replicas(lambda replicas: replicas.script(commands, answer, times=3, is_done=is_done))


def _without_primary(replicas: ReplicaSet) -> None:
    replicas.step_down(None)
    replicas.cut()


def _primary_moves(replicas: ReplicaSet) -> None:
    replicas.step_down(1)
    replicas.cut()


@asynccontextmanager
async def documents_down(system: System, *, wiped: bool = False) -> AsyncGenerator[None]:
    """Kill the document server, and start it again, on nothing when its data was `wiped`."""
    system.documents.kill()
    try:
        yield
    finally:
        if wiped:
            system.documents.wipe()
        await system.documents.start()


@asynccontextmanager
async def broker_killed(system: System) -> AsyncGenerator[None]:
    """Kill the broker, and start it again on its data."""
    system.broker.kill()
    try:
        yield
    finally:
        await system.broker.start()


@asynccontextmanager
async def flapping(system: System) -> AsyncGenerator[None]:
    """Reset the connections of every service to the broker again and again."""

    async def flap() -> None:
        while True:
            for link in _BROKER_LINKS:
                system.links[link].reset()
                await asyncio.sleep(0.15)

    task = asyncio.create_task(flap())
    try:
        yield
    finally:
        task.cancel()


_BROKER_LINKS: Final = [link for link in LINKS if link.endswith("-broker")]
_OTHER_LINKS: Final = [link for link in LINKS if not link.endswith("-broker")]

_OUTSIDE: Final = frozenset(
    {
        *("backend_unavailable", "backend_stream_broken", "backend_timeout"),
        *("mcp_unreachable", "mcp_timeout", "mcp_protocol_error"),
    }
)


def _passing(link: str) -> frozenset[str]:
    return frozenset() if link.endswith(("-broker", "-documents")) else _OUTSIDE


_MODES: Final[dict[str, Break]] = {
    "held": Proxy.hold,
    "lost": Proxy.lose,
    "refused": Proxy.refuse,
    "held there": partial(Proxy.hold, back=False),
    "held back": partial(Proxy.hold, there=False),
    "lost there": partial(Proxy.lose, back=False),
    "lost back": partial(Proxy.lose, there=False),
}

_STRICT: Final = (no_client_is_told_an_error,)

_OF_PROCESSES: Final[dict[str, Scenario]] = {
    "upgrade from older code": Scenario(upgraded, 8, cannot_run=no_older_code),
    "drained with time to finish": Scenario(drained, 15, laws=_STRICT),
    "drained without time to finish": Scenario(
        handed_over, 15, 2, laws=(only_what_is_given_once_is_gone,)
    ),
    "overloaded five times": Scenario(
        few_places,
        15,
        passing=frozenset({OVERLOADED}),
        clients=CLIENTS,
        laws=(some_are_refused_and_some_are_served,),
    ),
    **{
        f"{name} clock jumps": Scenario(
            clock_jumps(name),
            15,
            laws=_STRICT,
            clocks_agree=False,
            cannot_run=no_compiler,
        )
        for name in SERVICES
    },
}

_OF_MESSAGES: Final[dict[str, Scenario]] = {
    "messages twice": Scenario(partial(delivered, passes=twice), 15),
    "deliveries out of order": Scenario(partial(delivered, passes=out_of_order), 15),
    "deliveries given back": Scenario(given_back, 15),
    "poison, a thousand on every subject": Scenario(
        poisoned, 5, views_within_s=DEAD_LETTERS_WITHIN_S
    ),
}

SCENARIOS: Final[dict[str, Scenario]] = {
    **_OF_PROCESSES,
    **_OF_MESSAGES,
    "all broker links lost": Scenario(on_links(_BROKER_LINKS, Proxy.lose), 15),
    "all broker links flap": Scenario(flapping, 15, 2),
    "documents, backend and tools refused": Scenario(
        on_links(_OTHER_LINKS, Proxy.refuse), 15, 2, _OUTSIDE
    ),
    "orchestrator-broker one way": Scenario(
        on_links(["orchestrator-broker"], _MODES["lost there"]), 15, 4
    ),
    **{
        f"{link} {mode}": Scenario(on_links([link], act), 15, None, _passing(link))
        for link in LINKS
        for mode, act in _MODES.items()
    },
    "orchestrator frozen": Scenario(frozen("orchestrator"), 30, 5),
    "gateway frozen": Scenario(frozen("gateway"), 15),
    "store frozen": Scenario(frozen("store"), 15),
    "guard frozen": Scenario(frozen("guard"), 15),
    "tool-runner frozen": Scenario(frozen("tool-runner"), 15),
    "broker frozen": Scenario(
        broken(lambda s: s.broker.freeze(), lambda s: s.broker.thaw()), 15, 3
    ),
    "document server frozen": Scenario(
        broken(lambda s: s.documents.freeze(), lambda s: s.documents.thaw()), 15
    ),
    "broker killed": Scenario(broker_killed, 5),
    "document server down": Scenario(documents_down, 60),
    "document server wiped": Scenario(partial(documents_down, wiped=True), 15, 1),
    "primary moves": Scenario(on_replicas(_primary_moves), 3, 0.5),
    "no primary": Scenario(on_replicas(_without_primary), 20),
    **{
        f"writes answered {name}{' as retryable' if labels else ''}": Scenario(
            answered(_WRITES, command_error(name, code, labels)), 3
        )
        for name, code in ERRORS.items()
        for labels in ((), _RETRYABLE)
    },
    "write concern fails": Scenario(
        answered(_WRITES, write_concern_error("WriteConcernTimeout", 64), is_done=True), 3, 0.5
    ),
    "write concern fails by stepping down": Scenario(
        answered(_WRITES, write_concern_error("PrimarySteppedDown", 189), is_done=True), 3
    ),
    "reads answered NotPrimaryOrSecondary": Scenario(
        answered(_READS, command_error("NotPrimaryOrSecondary", 13436)), 3, 0.5
    ),
    "reads answered MaxTimeMSExpired": Scenario(
        answered(_READS, command_error("MaxTimeMSExpired", 50)), 3
    ),
}
