"""One simulated deployment with its clients, from its start until everything has come to rest."""

import asyncio
from collections.abc import Callable

from simulation import faults, model, product, stand_ins
from simulation.broker import Broker
from simulation.clients import Chat
from simulation.laws import Laws
from simulation.loop import START_S, SimLoop
from simulation.processes import Supervisor
from simulation.rest import check_at_rest, is_at_rest
from simulation.schedule import SLOTS, Schedule
from simulation.views import SimGenerations
from simulation.wishes import of_crowd, wishes, with_extras

LONGEST_S = 240.0
"""Seconds of virtual time within which everything must have come to rest."""

_SLOWNESS = 8.0
"""How much slower the model is where an owner is cut off for longer than its lease."""

_FIRST_OF_CROWD = 10
_CROWD = 10
"""How many clients come at once, beside the others, where places are few."""

_SERVES = {
    "orchestrator": product.orchestrate,
    "gateway": product.serve_clients,
    "store": product.project,
    "tools": model.run_tools,
    "guard": model.guard,
}


class World:
    """All processes, their broker, and who uses them."""

    def __init__(self, schedule: Schedule, tell: Callable[[str], None] | None = None) -> None:
        """`tell` is told in words what happens."""
        self.schedule = schedule
        self.loop = SimLoop(schedule.random("loop"))
        self.laws = Laws(product.LEAST_S)
        self.broker = Broker(self.loop, schedule.random("broker"), clustered=schedule.clustered)
        self.model_random = schedule.random("model")
        slowness = _SLOWNESS if "p" in schedule.extras else 1.0
        self.model = model.Model(self.model_random, self.laws, slowness)
        self.views = SimGenerations()
        self.supervisor = Supervisor(self.loop, schedule.random("supervisor"), self.note)
        self.is_calm = not schedule.faults
        self.clocks: dict[str, float] = {}
        """By slot: by how many seconds its wall clock is wrong."""
        self._tell = tell
        self._chats: list[asyncio.Task[None]] = []
        self._looked_at = 0.0
        self._is_at_rest = False

    def note(self, what: str) -> None:
        """Tell what happens."""
        if self._tell is not None:
            self._tell(f"{self.loop.now - START_S:8.3f}  {what}")

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something later, whatever else happens."""
        self.loop.at(self.loop.now + seconds, self.loop.outside, act)

    def run(self) -> None:
        """Run the schedule until everything has come to rest. Raises `BrokenLawError`."""
        stand_ins.install(self)
        try:
            with product.queues_of(self.schedule.extras):
                self._begin()
                self.loop.run(self._is_over, START_S + LONGEST_S)
            if self.laws.first is not None:
                raise self.laws.first
            check_at_rest(self)
        finally:
            stand_ins.install(None)

    def _begin(self) -> None:
        self.broker.observers.append(self.laws.appended)
        self.broker.on_frames = self.laws.readers.published
        if self._tell is not None:
            self._narrate(self._tell)
        if self.schedule.clustered and self.schedule.faults:
            self.broker.weather.lost_answers = self.model_random.choice((0.0, 0.02, 0.1))
        self.broker.weather.slowness = self.model_random.choice((1.0, 1.0, 10.0))
        for slot in SLOTS:
            self.supervisor.add(slot, _SERVES[slot.rpartition("-")[0]])
        for fault in self.schedule.faults:
            self.after(fault.at_s, lambda fault=fault: faults.begin(self, fault))
        for number in range(self.schedule.chats):
            random = self.schedule.random(f"chat {number}")
            extras = self.schedule.random(f"extras {number}")
            drawn = with_extras(wishes(random), self.schedule.extras, extras)
            self._come(Chat(self, random, number, drawn))
        if "q" in self.schedule.extras:
            for number in range(_FIRST_OF_CROWD, _FIRST_OF_CROWD + _CROWD):
                random = self.schedule.random(f"chat {number}")
                self._come(Chat(self, random, number, of_crowd(random)))

    def _come(self, chat: Chat) -> None:
        self._chats.append(self.loop.spawn(self.loop.outside, chat.run()))

    def _is_over(self) -> bool:
        """Look whether there is anything left to wait for."""
        if self.laws.first is not None:
            return True
        if self.loop.now - self._looked_at < 0.25:
            return False
        self._looked_at = self.loop.now
        for chat in self._chats:
            if chat.done() and (error := chat.exception()) is not None:
                raise error
        # Twice in a row: what was told last may be on its way.
        was_at_rest, self._is_at_rest = (
            self._is_at_rest,
            self.have_clients_ended and is_at_rest(self),
        )
        return was_at_rest and self._is_at_rest

    @property
    def wrong_by(self) -> float:
        """By how many seconds the wall clock of the process that runs now is wrong."""
        if not self.clocks:
            return 0.0
        return self.clocks.get(self.loop.current.name.partition(".")[0], 0.0)

    @property
    def have_clients_ended(self) -> bool:
        """Whether every client has what it came for."""
        return all(chat.done() for chat in self._chats)

    def _narrate(self, tell: Callable[[str], None]) -> None:
        """Tell each message that is kept or that decides something."""
        del tell

        def kept(stream: object, sequence: int) -> None:
            found = self.broker.streams["TURNS"].kept.get(sequence)
            if stream is self.broker.streams["TURNS"] and found is not None:
                self.note(f"log {sequence}: {found.subject[-40:]}")

        self.broker.observers.insert(0, kept)
