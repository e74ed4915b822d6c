"""One trial: load, a fault for a while, the time until all is well again, and the oracle's word."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from msgspec import Struct

from chaos.faults.system import System
from chaos.faults.views import views_trouble
from chaos.oracle import Fault as FaultSeen
from chaos.oracle import Prompt, Run, SeenTurn, problems
from chaos.oracle.prompts import JSON
from chaos.oracle.records import Way
from chaos.rig.clients import Client
from chaos.rig.crash_orders import CrashOrders
from chaos.rig.scenes import SCENES, Actor
from chaos.rig.stage import Stage
from e2e.rig.stack import Stack
from turnwire_chassis.broker import connect

RECOVERED_WITHIN_S = 10.0
"""How long after a fault's end everything may take to be as before."""

PROBES = ("chain", "stream", "conversation", "reading_tool")
"""What is asked at the moment when a fault has ended; all of it together needs every process."""

_BEFORE_S = 1.0
_AGAIN_S = 0.2
_GIVE_UP_S = 90.0

Fault = Callable[[System], AbstractAsyncContextManager[None]]
"""Entered, something is wrong with the system; left, it is right again."""

Law = Callable[[Run], Iterable[str]]
"""What one scenario asks beside the oracle's laws: gives what breaks it."""


@dataclass(frozen=True)
class Scenario:
    """One fault, and for how many seconds it lasts."""

    fault: Fault
    long_s: float
    short_s: float | None = None
    """`None`: only in the long form."""
    passing: frozenset[str] = frozenset()
    """More codes with which turns may fail: the fault is one of what Turnwire calls."""
    clients: int = 4
    laws: Sequence[Law] = ()
    clocks_agree: bool = True
    """Whether the times of events can be compared with this machine's."""
    views_within_s: float = RECOVERED_WITHIN_S
    """How long the views may be behind the log when all else is well again."""
    cannot_run: Callable[[System], str] = lambda _: ""
    """Why it cannot be tried here; empty when it can."""


class Verdict(Struct):
    """What came of one trial."""

    fault: str
    seed: int
    took: dict[str, float]
    """Seconds from the end of the fault until turns of each kind, asked from then on, succeeded."""
    ends_s: float
    """From the end of the fault to the end of the last turn that was asked before it."""
    turns: int
    ended_otherwise: int
    """Turns that failed, were cancelled, or are not complete."""
    takeovers: int
    problems: list[str]
    """What the oracle says."""
    ended: list[str]
    """Services that did not live to the end."""
    slow: list[str]
    """Turns whose clients waited for too long after the end of the fault."""

    @property
    def recovery_s(self) -> float:
        """Seconds from the end of the fault until all was as before."""
        return max(self.took.values())

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled or garbled, and recovery was in time."""
        slowest = max(self.recovery_s, self.ends_s)
        return not self.problems and not self.ended and slowest <= RECOVERED_WITHIN_S

    def __str__(self) -> str:
        """The figures, for people."""
        told = [*self.problems, *self.ended, *([] if self.is_good else self.slow)]
        wrong = "".join(f"\n    {each}" for each in told)
        return (
            f"{'good' if self.is_good else 'BAD '} {self.fault} (seed {self.seed}): "
            f"{self.turns} turns, {self.ended_otherwise} not completed, "
            f"{self.takeovers} taken over; recovered in {self.recovery_s:.1f} s "
            f"({', '.join(f'{name} {took:.1f}' for name, took in self.took.items())}), "
            f"the last turn ended after {self.ends_s:.1f} s{wrong}"
        )


@asynccontextmanager
async def staged(system: System) -> AsyncGenerator[Stage]:
    """See a system as the oracle's stage."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
    async with AsyncExitStack() as running:
        session = await running.enter_async_context(
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        )
        # Only its address is used.
        address = Stack(system.folder / "nothing", keyless=True)
        address.url = system.urls[0]
        client = await connect(system.broker_url, "test")
        running.push_async_callback(client.close)
        orders = CrashOrders(system.folder / "crash-order")
        yield Stage(address, system.backend, system.desk, session, client, orders)


async def tried(
    system: System, name: str, scenario: Scenario, *, seconds: float, seed: int
) -> Verdict:
    """Let a fault last for `seconds` while clients work."""
    async with staged(system) as stage:
        run = await stage.begin()
        run.passing = scenario.passing
        leaving = asyncio.Event()
        async with asyncio.TaskGroup() as at_work:
            for number in range(scenario.clients):
                actor = _actor(stage, system.urls, f"{seed}-{number}", number)
                at_work.create_task(_work(actor, leaving))
            await asyncio.sleep(_BEFORE_S)
            began = time.time()
            async with scenario.fault(system):
                await asyncio.sleep(seconds)
            healed = time.time()
            took = await recovered(stage, seed)
            leaving.set()
        run.faults.append(FaultSeen(name, began, time.time(), "broken"))
        await stage.gather()
    ids = [each for each, view in run.views.items() if view]
    found = [_with_story(run, each) for each in problems(run)]
    found += [problem for law in scenario.laws for problem in law(run)]
    found += await views_trouble(system, ids, scenario.views_within_s)
    slow = [_with_story(run, f"slow: {one}") for one in _slow(run, healed)]
    return Verdict(
        name,
        seed,
        took,
        _last_end(run, healed) if scenario.clocks_agree else _last_told(run, healed),
        len(run.log),
        sum(turn.closes[0].status != "completed" for turn in run.log if turn.closes),
        sum(turn.takeovers for turn in run.log),
        found,
        system.ended,
        slow,
    )


async def recovered(stage: Stage, seed: int) -> dict[str, float]:
    """Ask for turns of each kind until all of a kind succeed; gives the seconds that took."""
    began = time.monotonic()

    async def probe(name: str) -> float:
        actor = _Probe(stage, random.Random(f"{seed}-{name}-{time.time()}"))  # noqa: S311 -- not for secrets
        while not await _succeeds(name, actor):  # noqa: ASYNC110 -- a client asks again
            await asyncio.sleep(_AGAIN_S)
        return time.monotonic() - began

    async with asyncio.timeout(_GIVE_UP_S):
        return dict(zip(PROBES, await asyncio.gather(*map(probe, PROBES)), strict=True))


async def _succeeds(name: str, actor: "_Probe") -> bool:
    """Play a scene; whether every turn of it was told as completed."""
    own = actor.own = []
    await SCENES[name](actor)
    return all(map(_is_completed, own))


def _is_completed(seen: SeenTurn) -> bool:
    if seen.way == "stream":
        return bool(seen.frames) and b"event: response.completed" in seen.frames[-1]
    return (seen.answer or {}).get("status") == "completed"


class _Probe(Actor):
    """An actor that knows its own turns."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        super().__init__(stage, chance)
        self.own: list[SeenTurn] = []

    def begun(self, prompt: Prompt, way: Way = "plain", **fields: Any) -> tuple[SeenTurn, JSON]:
        seen, body = super().begun(prompt, way, **fields)
        self.own.append(seen)
        return seen, body


def _actor(stage: Stage, urls: Sequence[str], seed: str, number: int) -> Actor:
    actor = Actor(stage, random.Random(f"{seed}-{time.time()}"))  # noqa: S311 -- not for secrets
    actor.client = Client(stage.session, urls[number % len(urls)], stage.stack.bearer)
    return actor


async def _work(actor: Actor, leaving: asyncio.Event) -> None:
    while not leaving.is_set():
        await SCENES[actor.chance.choice(list(SCENES))](actor)


def _with_story(run: Run, problem: str) -> str:
    """Add to a problem what the log has of its turn, and what its client was answered."""
    turn = next((each for each in run.log if each.response_id in problem), None)
    if turn is None:
        return problem
    start = turn.events[0].at
    told = [f"{type(each).__name__} +{each.at - start}" for each in turn.events]
    seen = [each for each in run.seen if each.response_id == turn.response_id]
    asked = [
        f"{each.what} +{each.at * 1000 - start:.0f}..{each.ended_at * 1000 - start:.0f} "
        f"{each.status} {each.code}"
        for one in seen
        for each in one.requests
    ]
    return f"{problem}\n      log: {told}\n      client: {asked}"


def _slow(run: Run, healed: float) -> list[str]:
    """The turns whose clients were not answered soon enough, by their ids."""
    limit = healed + RECOVERED_WITHIN_S
    late = [seen for seen in run.seen if seen.requests and seen.requests[-1].ended_at > limit]
    return [seen.response_id for seen in late if seen.requests[0].at < healed + _BEFORE_S]


def _last_end(run: Run, healed: float) -> float:
    """When the last turn ended that was asked before the fault was over, in seconds behind it."""
    ends = [
        turn.closes[0].at / 1000 - healed
        for turn in run.log
        if turn.closes and turn.events[0].at / 1000 < healed
    ]
    return max([0.0, *ends])


def _last_told(run: Run, healed: float) -> float:
    """As `_last_end`, but when clients were told, by their own clock."""
    asked = [seen for seen in run.seen if seen.requests and seen.requests[0].at < healed]
    return max([0.0, *(seen.requests[-1].ended_at - healed for seen in asked)])


def broken(act: Callable[[System], object], mend: Callable[[System], object]) -> Fault:
    """Make a fault of what begins it and what ends it."""

    @asynccontextmanager
    async def fault(system: System) -> AsyncGenerator[None]:
        act(system)
        try:
            yield
        finally:
            mend(system)

    return fault
