"""Runs schedules: one by its token, or many over all cores."""

import gc
import logging
import sys
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context

import structlog
from msgspec import Struct

from simulation import product
from simulation.laws import BrokenLawError
from simulation.loop import START_S, StuckError
from simulation.schedule import Schedule, drawn, parse
from simulation.world import World

_COLLECT_AFTER = 200
"""How many schedules run before what they left is collected: never in the middle of one."""

_CHUNK = 100
"""How many schedules a process runs before another takes its place: to end it costs nothing, to
collect what it left would."""


class Outcome(Struct, frozen=True):
    """How a schedule ended."""

    token: str
    digest: int
    """Of all that came to the broker, and when."""
    steps: int
    checks: int
    seconds: float
    """Of virtual time."""
    law: str = ""
    """Which law was broken; empty: none."""
    detail: str = ""


class _Session:
    """What is so while schedules run in this process."""

    depth = 0
    runs = 0


@contextmanager
def simulating() -> Generator[None]:
    """Let schedules run inside: the product's ports are swapped, and the collector is ours.

    Coroutines of processes that were killed are never ended; what Python says of that is not heard.
    """
    _Session.depth += 1
    hook, config, was_enabled = sys.unraisablehook, structlog.get_config(), gc.isenabled()
    with product.swapped_ports(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.unraisablehook = _unheard
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        gc.disable()
        gc.collect()
        # What all schedules share is not looked through again and again.
        gc.freeze()
        try:
            yield
        finally:
            gc.collect()
            gc.unfreeze()
            if was_enabled:
                gc.enable()
            structlog.configure(**config)
            sys.unraisablehook = hook
            _Session.depth -= 1


def _unheard(_: object) -> None:
    """Say nothing of coroutines that dead processes left."""


def run(schedule: Schedule, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run a schedule inside `simulating`; `tell` is told in words what happens."""
    if not _Session.depth:
        raise RuntimeError("schedules run inside `simulating()`")
    world = World(schedule, tell)
    law = detail = ""
    try:
        world.run()
    except BrokenLawError as error:
        law, detail = error.law, str(error)
    except StuckError as error:
        law, detail = "time goes on", str(error)
    except Exception as error:
        error.add_note(f"    {replay_command(schedule.token)}")
        raise
    outcome = Outcome(
        schedule.token,
        world.broker.digest,
        world.loop.steps,
        world.laws.checks,
        world.loop.now - START_S,
        law,
        detail,
    )
    del world
    _Session.runs += 1
    if _Session.runs % _COLLECT_AFTER == 0:
        gc.collect()
        # What is left is what the product remembers for as long as its process lives.
        gc.freeze()
    return outcome


def run_token(token: str, tell: Callable[[str], None] | None = None) -> Outcome:
    """Run the schedule of a token again. Raises `ValueError`."""
    return run(parse(token), tell)


def run_seeds(seeds: Iterable[int]) -> Iterator[Outcome]:
    """Run the schedules of seeds, one after another."""
    for seed in seeds:
        yield run(drawn(seed))


def _some(seeds: range) -> tuple[list[Outcome], int, int]:
    """Run some schedules inside `simulating`; gives those that failed, all steps and all checks."""
    outcomes = list(run_seeds(seeds))
    failed = [each for each in outcomes if each.law]
    return failed, sum(each.steps for each in outcomes), sum(each.checks for each in outcomes)


class Report(Struct, frozen=True):
    """How many schedules ended how."""

    schedules: int
    failed: list[Outcome]
    """Those that broke a law."""
    steps: int
    checks: int
    seconds: float
    """Of real time."""

    def __str__(self) -> str:
        """Give the figures, and for each failure the command that replays it."""
        pace = self.schedules / self.seconds
        done = f"{self.schedules} schedules in {self.seconds:.0f} s ({pace:.0f}/s)"
        lines = [f"{done}: {self.steps} steps, {self.checks} checks, {len(self.failed)} failed"]
        for each in self.failed[:20]:
            lines += [f"{each.detail[:600]}", f"    {replay_command(each.token)}"]
        return "\n".join(lines)


def replay_command(token: str) -> str:
    """Give the command that runs a schedule again and tells its steps."""
    return f"PYTHONPATH=tests .venv/bin/python -m simulation {token} -v"


def run_many(first: int, count: int, workers: int) -> Report:
    """Run the schedules of `count` seeds from `first` on, on so many processes."""
    began = time.perf_counter()
    size = max(1, min(_CHUNK, count // max(1, workers * 4)))
    chunks = [range(at, min(at + size, first + count)) for at in range(first, first + count, size)]
    with simulating():
        if workers <= 1:
            results = list(map(_some, chunks))
        else:
            # Forked, so that they begin inside `simulating`, and have all modules.
            with get_context("fork").Pool(workers, maxtasksperchild=1) as pool:
                results = pool.map(_some, chunks, chunksize=1)
    return Report(
        count,
        [each for failed, _, _ in results for each in failed],
        sum(steps for _, steps, _ in results),
        sum(checks for _, _, checks in results),
        time.perf_counter() - began,
    )
