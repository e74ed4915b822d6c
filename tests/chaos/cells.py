"""The kill matrix: which process dies, at which step of a turn, before or after its ack."""

from collections.abc import Iterable, Iterator
from itertools import product

from msgspec import Struct

from chaos.rig.stage import BROKER, DATABASE
from turnwire_chassis.crash_points import CrashOrder

GATEWAY, ORCHESTRATOR, GUARD = "gateway", "orchestrator", "guard"
TOOL_RUNNER, STORE = "tool-runner", "store"

BOTH = ("before", "after")
TAKEOVER = "TakenOver"


class Cell(Struct, frozen=True, order=True):
    """One process dies once, at one step, while clients play one scene."""

    victim: str
    service: str
    """Whose process stands at the point; it dies itself, or is held while the victim is killed."""
    point: str
    about: str
    passing: int
    scene: str
    recovery: str = ""
    """The point of `TakenOver` at which the victim's successor dies, too."""

    def __str__(self) -> str:
        """Its name, by which it is chosen on the command line."""
        about = f"[{self.about}]" if self.about else ""
        number = f"#{self.passing}" if self.passing > 1 else ""
        where = self.point + about + number + (f"+{self.recovery}" if self.recovery else "")
        at = where if self.victim == self.service else f"{self.service}/{where}"
        return f"{self.victim}@{at}:{self.scene}"

    @property
    def order(self) -> CrashOrder:
        """What the process at the point is told."""
        then = "die" if self.victim == self.service else "hold"
        return CrashOrder(self.point, self.service, self.about, self.passing, then)

    @property
    def second_order(self) -> CrashOrder | None:
        """What the process is told that takes over, if it dies as well."""
        if not self.recovery:
            return None
        return CrashOrder(self.recovery, self.service, TAKEOVER)


class Step(Struct, frozen=True):
    """A step of a turn: where it is passed, and the scenes that pass it."""

    service: str
    point: str
    scenes: tuple[str, ...]
    about: str = ""
    passing: int = 1
    sides: tuple[str, ...] = BOTH

    def cells(self, victim: str) -> Iterator[Cell]:
        """The cells of this step."""
        for side, scene in product(self.sides, self.scenes):
            point = f"{self.point}.{side}"
            yield Cell(victim, self.service, point, self.about, self.passing, scene)


_WAYS = ("plain", "stream", "background")
_TOOLS = ("writing_tool", "reading_tool")

GATEWAY_STEPS = (
    Step(GATEWAY, "append", (*_WAYS, "chain", "writing_tool", "unstored"), "Requested"),
    Step(GATEWAY, "append", ("conversation",), "TurnAdded"),
    Step(GATEWAY, "append", ("cancelled",), "CancelRequested"),
    Step(GATEWAY, "forward", ("stream", "writing_tool", "held")),
    Step(GATEWAY, "forward", ("stream", "cut_stream"), passing=3),
    Step(GATEWAY, "forward", ("stream", "reading_tool"), "last"),
    Step(GATEWAY, "answer", ("plain", "chain", "plain_tool"), sides=("before",)),
    Step(GATEWAY, "ask", ("background", "cancelled"), "store.response"),
    Step(GATEWAY, "ask", ("conversation",), "store.conversation"),
    # What runs in the background was judged before it was accepted.
    Step(GATEWAY, "ask", ("background",), "guard.check"),
)

ORCHESTRATOR_STEPS = (
    Step(ORCHESTRATOR, "delivery", _WAYS, sides=("taken", "before_ack", "after_ack")),
    Step(ORCHESTRATOR, "ask", ("plain", "stream"), "guard.check"),
    Step(ORCHESTRATOR, "append", ("plain", "stream"), "Screened"),
    Step(ORCHESTRATOR, "append", ("background",), "Started"),
    Step(ORCHESTRATOR, "ask", ("chain",), "store.history"),
    Step(ORCHESTRATOR, "ask", ("writing_tool",), "tools.list"),
    Step(ORCHESTRATOR, "append", ("writing_tool", "approval"), "ToolsListed"),
    Step(ORCHESTRATOR, "backend", _WAYS),
    Step(ORCHESTRATOR, "frames", ("stream", "background", "writing_tool", "held"), "F"),
    Step(ORCHESTRATOR, "frames", ("stream", "cut_stream"), "F", passing=3),
    Step(ORCHESTRATOR, "append", _TOOLS, "Sampled"),
    Step(ORCHESTRATOR, "append", (*_TOOLS, "approval", "plain_tool"), "ToolCalled"),
    Step(ORCHESTRATOR, "ask", _TOOLS, "tools.call"),
    Step(ORCHESTRATOR, "append", (*_TOOLS, "approval", "plain_tool"), "ToolReturned"),
    Step(ORCHESTRATOR, "backend", ("writing_tool",), passing=2),
    Step(
        ORCHESTRATOR,
        "append",
        (*_WAYS, "chain", "writing_tool", "denial", "unstored", "cancelled", "conversation"),
        "Closed",
    ),
    Step(ORCHESTRATOR, "frames", ("stream", "writing_tool"), "E"),
    Step(ORCHESTRATOR, "plain", ("plain", "chain")),
    Step(ORCHESTRATOR, "erase", ("unstored", "unstored_webhook")),
    Step(ORCHESTRATOR, "append", ("webhook", "unstored_webhook"), "Closed"),
    Step(ORCHESTRATOR, "webhook", ("webhook", "unstored_webhook"), "response.completed"),
)

_QUERY = ("taken", "before_answer", "after_answer")

GUARD_STEPS = (
    Step(GUARD, "query", (*_WAYS, "conversation"), "guard.check", sides=_QUERY),
    Step(GUARD, "query", ("held", "writing_tool"), "guard.check", passing=2, sides=_QUERY),
)

TOOL_RUNNER_STEPS = (
    Step(TOOL_RUNNER, "query", ("writing_tool",), "tools.list", sides=_QUERY),
    Step(TOOL_RUNNER, "query", (*_TOOLS, "approval"), "tools.call", sides=_QUERY),
    Step(TOOL_RUNNER, "tool", (*_TOOLS, "plain_tool")),
    Step(TOOL_RUNNER, "post", ("webhook", "unstored_webhook"), "response.completed"),
)

STORE_STEPS = (
    Step(STORE, "query", ("chain",), "store.history", sides=_QUERY),
    Step(STORE, "query", ("background", "cancelled"), "store.response", sides=_QUERY),
    Step(STORE, "query", ("conversation",), "store.conversation", sides=_QUERY),
    Step(STORE, "views", ("plain", "chain", "conversation", "writing_tool")),
    Step(STORE, "checkpoint", ("plain", "chain"), sides=("after",)),
)

BROKER_STEPS = (
    Step(GATEWAY, "append", _WAYS, "Requested"),
    Step(GATEWAY, "append", ("conversation",), "TurnAdded"),
    Step(GATEWAY, "append", ("cancelled",), "CancelRequested"),
    Step(GATEWAY, "forward", ("stream",), passing=2),
    Step(ORCHESTRATOR, "delivery", ("plain", "stream"), sides=("taken", "before_ack", "after_ack")),
    Step(ORCHESTRATOR, "ask", ("stream",), "guard.check"),
    Step(ORCHESTRATOR, "append", ("plain", "stream"), "Screened"),
    Step(ORCHESTRATOR, "append", ("background",), "Started"),
    Step(ORCHESTRATOR, "ask", ("chain",), "store.history"),
    Step(ORCHESTRATOR, "frames", ("stream", "writing_tool"), "F"),
    Step(ORCHESTRATOR, "frames", ("stream",), "F", passing=3),
    Step(ORCHESTRATOR, "append", ("writing_tool",), "ToolsListed"),
    Step(ORCHESTRATOR, "append", ("writing_tool",), "Sampled"),
    Step(ORCHESTRATOR, "append", _TOOLS, "ToolCalled"),
    Step(ORCHESTRATOR, "ask", _TOOLS, "tools.call"),
    Step(ORCHESTRATOR, "append", _TOOLS, "ToolReturned"),
    Step(ORCHESTRATOR, "append", (*_WAYS, "writing_tool"), "Closed"),
    Step(ORCHESTRATOR, "frames", ("stream",), "E"),
    Step(ORCHESTRATOR, "plain", ("plain",)),
    Step(TOOL_RUNNER, "tool", _TOOLS),
    Step(ORCHESTRATOR, "webhook", ("webhook",), "response.completed"),
    Step(TOOL_RUNNER, "post", ("webhook",), "response.completed"),
    Step(GUARD, "query", ("stream",), "guard.check", sides=("taken", "before_answer")),
    Step(STORE, "views", ("plain",)),
)

DATABASE_STEPS = (
    Step(STORE, "views", ("plain", "chain", "conversation")),
    Step(STORE, "checkpoint", ("chain",), sides=("after",)),
    Step(STORE, "query", ("chain",), "store.history", sides=("taken", "before_answer")),
    Step(STORE, "query", ("background",), "store.response", sides=("taken",)),
    Step(ORCHESTRATOR, "ask", ("chain",), "store.history"),
)


RECOVERIES = tuple(
    Cell(ORCHESTRATOR, ORCHESTRATOR, point, about, passing, scene, f"append.{side}")
    for point, about, passing, scene in (
        ("frames.after", "F", 3, "stream"),
        ("backend.after", "", 1, "plain"),
        ("append.after", "ToolCalled", 1, "writing_tool"),
        ("append.after", "ToolReturned", 1, "reading_tool"),
    )
    for side in BOTH
)
"""The owner dies, and so does the one that takes the turn over."""


def _all(victim: str, steps: Iterable[Step]) -> Iterator[Cell]:
    for step in steps:
        yield from step.cells(victim)


CELLS: tuple[Cell, ...] = (
    *_all(GATEWAY, GATEWAY_STEPS),
    *_all(ORCHESTRATOR, ORCHESTRATOR_STEPS),
    *_all(GUARD, GUARD_STEPS),
    *_all(TOOL_RUNNER, TOOL_RUNNER_STEPS),
    *_all(STORE, STORE_STEPS),
    *_all(BROKER, BROKER_STEPS),
    *_all(DATABASE, DATABASE_STEPS),
    *RECOVERIES,
)
