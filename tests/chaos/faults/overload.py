"""Five times as many clients as places: the rest is refused, and says when to come again."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

from chaos.faults.system import System
from chaos.oracle import Run

PLACES = 2
CLIENTS = 5 * PLACES * 2
"""Two orchestrators have so many places, for foreground and for background turns each."""
OVERLOADED = "overloaded"


@asynccontextmanager
async def few_places(system: System) -> AsyncGenerator[None]:
    """Give each orchestrator two places, for which a turn waits no longer than half a second."""
    told = {"TURNWIRE_MAX_TURNS": str(PLACES), "TURNWIRE_MAX_BACKGROUND_TURNS": str(PLACES)}
    both = system.all_of("orchestrator", "gateway")
    for service in both:
        await service.restart(**told, TURNWIRE_MAX_QUEUE_S="0.5")
    try:
        yield
    finally:
        for service in both:
            await service.restart()


def some_are_refused_and_some_are_served(run: Run) -> Iterator[str]:
    """A load that is served whole, or not at all, tells nothing of overload."""
    answers = Counter(each.code for seen in run.seen for each in seen.requests)
    if not answers[OVERLOADED]:
        yield f"not overloaded: nothing was refused: {dict(answers)}"
    served = [seen for seen in run.seen if seen.done and seen.error is None]
    if len(served) < len(run.seen) / (2 * CLIENTS):
        yield f"overload: {len(served)} of {len(run.seen)} turns were served"
