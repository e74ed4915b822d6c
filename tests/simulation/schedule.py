"""Schedules: what is asked and what goes wrong, drawn from a token that says it all again."""

import re
from random import Random
from typing import Final, Literal

from msgspec import Struct

EXTRAS: Final = {"a": 0.12, "c": 0.15, "j": 0.15, "p": 0.12, "q": 0.03, "u": 0.12}
"""What a schedule may have beside, one letter each: MCP (a)pprovals; a (c)onversation that all
clients share; wall clocks that (j)ump; a (p)artition, an owner and gateways cut off together while
the model is slow; (q)ueues, as many clients come at once and places are few; turns that are
(u)nstored. And how often: a crowd takes five times as long as other schedules do."""

_TOKEN: Final = re.compile(
    rf"([rc])([1-9])t([1-9])f([0-9])s([0-9]+)([{''.join(EXTRAS)}]*)((?:x[0-9])*)"
)

FaultKind = Literal[
    "kill",
    "kill_before",
    "kill_after",
    "stop",
    "pause",
    "cut_off",
    "broken",
    "drop",
    "broker",
    "elect_turns",
    "elect_output",
    "elect_limits",
    "forget",
    "partition",
    "clock",
]
"""What can go wrong; `faults.py` says how."""

_OF_ONE_NODE: Final[tuple[FaultKind, ...]] = ("broker", "broker", "broken", "drop")
_OF_THREE_NODES: Final[tuple[FaultKind, ...]] = (
    "elect_turns",
    "elect_output",
    "elect_output",
    "elect_limits",
    "forget",
    "broken",
    "drop",
)
_OF_PROCESSES: Final[tuple[FaultKind, ...]] = (
    "kill",
    "kill_before",
    "kill_before",
    "kill_after",
    "kill_after",
    "stop",
    "pause",
    "pause",
    "cut_off",
)

SLOTS: Final = (
    "orchestrator-1",
    "orchestrator-2",
    "gateway-1",
    "gateway-2",
    "store-1",
    "tools-1",
    "guard-1",
)
_TARGETS: Final = (
    *("orchestrator-1", "orchestrator-2") * 4,
    *("gateway-1", "gateway-2", "store-1") * 2,
    "tools-1",
    "guard-1",
)
_FAULTS_END_S: Final = 7.0


class Fault(Struct, frozen=True):
    """One thing that goes wrong."""

    kind: FaultKind
    at_s: float
    """Seconds after the beginning; of `kill_before` and `kill_after`, when the count begins."""
    slot: str
    steps: int
    seconds: float
    """How long it takes, where it takes time."""
    either: bool
    """Which of two ways it goes, where there are two."""


class Schedule(Struct, frozen=True):
    """Everything that is not the product's own doing."""

    seed: int
    clustered: bool = False
    chats: int = 2
    most_faults: int = 3
    extras: str = ""
    """Letters of `EXTRAS`: what there is beside."""
    without: tuple[int, ...] = ()
    """The numbers of faults that are left out, to find those that matter."""

    @property
    def token(self) -> str:
        """The words that give this schedule again."""
        kind = "c3" if self.clustered else "r1"
        left_out = "".join(f"x{number}" for number in self.without)
        return f"{kind}t{self.chats}f{self.most_faults}s{self.seed}{self.extras}{left_out}"

    def random(self, of: str) -> Random:
        """Give the randomness of one part: parts do not disturb one another."""
        return Random(f"{of} {self.seed} {self.clustered} {self.chats} {self.most_faults}")  # noqa: S311 -- it must be foreseeable

    @property
    def faults(self) -> list[Fault]:
        """What goes wrong, in the order in which it was drawn."""
        random = self.random("faults")
        drawn = [_fault(random, clustered=self.clustered) for _ in range(self.most_faults)]
        drawn += [_extra_fault(each, self.random(f"fault {each}")) for each in self.extras]
        left = (fault for number, fault in enumerate(drawn) if number not in self.without)
        return [fault for fault in left if fault is not None]


def drawn(seed: int) -> Schedule:
    """Give the schedule of a seed."""
    random = Random(f"schedule {seed}")  # noqa: S311 -- it must be foreseeable
    return Schedule(
        seed,
        clustered=random.random() < 0.4,
        chats=random.choice((1, 1, 2)),
        most_faults=random.choice((0, 1, 1, 2, 2, 3, 4)),
        extras="".join(each for each, share in EXTRAS.items() if random.random() < share),
    )


def parse(token: str) -> Schedule:
    """Read a token; raises `ValueError`."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise ValueError(f"no token of a schedule: {token!r}. One looks like 'r1t2f3s4711'.")
    kind, _, chats, faults, seed, extras, left_out = found.groups()
    without = tuple(int(each) for each in left_out.split("x") if each)
    return Schedule(int(seed), kind == "c", int(chats), int(faults), extras, without)


def _fault(random: Random, *, clustered: bool) -> Fault:
    of_broker = _OF_THREE_NODES if clustered else _OF_ONE_NODE
    kinds = of_broker if random.random() < 0.35 else _OF_PROCESSES
    return Fault(
        random.choice(kinds),
        0.3 + random.random() ** 2 * _FAULTS_END_S,
        random.choice(_TARGETS),
        random.randint(1, 60),
        random.choice((0.3, 2.0, 9.0)) * random.random(),
        random.random() < 0.5,
    )


def _extra_fault(extra: str, random: Random) -> Fault | None:
    """Give what goes wrong because of something that a schedule has beside."""
    at_s, slot = 0.3 + 2.7 * random.random(), random.choice(SLOTS[:2])
    match extra:
        case "p":
            # Its successor may have its turns after 4 to 6 s, and has told little when it is back.
            seconds = 4.5 + 2.5 * random.random()
            return Fault("partition", at_s, slot, random.randint(1, 4), seconds, either=True)
        case "j":
            return Fault(
                "clock", at_s - 0.3, random.choice(SLOTS[:4]), 0, 0.0, random.random() < 0.7
            )
        case _:
            return None
