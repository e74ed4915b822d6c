"""The pull consumers of the simulated broker: what is handed out, to whom, and for how long."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from simulation.loop import EPOCH_S
from simulation.streams import Stream, matches

_EXPIRED: Final = "408"
_NOTHING: Final = "404"
_HEARTBEAT: Final = "100"


class Room(Protocol):
    """What a consumer needs of the broker."""

    @property
    def now(self) -> float:
        """The time."""
        ...

    def at(self, when: float, callback: Callable[..., Any], *args: Any) -> None:
        """Do something later, if the broker still runs then."""
        ...

    def has_listener(self, subject: str) -> bool:
        """Tell whether a message on a subject reaches anyone."""
        ...

    def deliver(
        self, subject: str, reply: str, headers: dict[str, str] | None, data: bytes, told: str = ""
    ) -> int:
        """Hand a message to who listens on a subject; `told`: what it says its subject is."""
        ...


@dataclass(eq=False, slots=True)
class _Pull:
    reply: str
    left: int
    expires_at: float
    priority: int = 0
    """Smaller is served first; among equals who asked first."""
    heartbeat_s: float = 0.0


@dataclass(slots=True)
class _Given:
    times: int
    first_at: float
    deadline: float
    acked_at: float | None = None


@dataclass
class Consumer:
    """One consumer of a stream; with `ack_wait_s` 0 nothing is acknowledged."""

    name: str
    stream: Stream
    only: str
    room: Room
    start: int = 1
    ack_wait_s: float = 0.0
    holder: str = ""
    last_pull_at: float = 0.0
    given: dict[int, _Given] = field(default_factory=dict[int, _Given])
    _next: int = 0
    _delivered: int = 0
    _again: deque[int] = field(default_factory=deque[int])
    _pulls: deque[_Pull] = field(default_factory=deque[_Pull])

    def __post_init__(self) -> None:
        """Begin at the start."""
        self._next = self.start
        self.last_pull_at = self.room.now

    def pull(self, reply: str, question: dict[str, Any]) -> None:
        """Take a request for messages."""
        now = self.room.now
        self.last_pull_at = now
        if question.get("max_bytes") == 1:
            # A sign of life: every message is larger (nats-server 2.15 answers 409).
            return
        expires_s = question.get("expires", 0) / 1e9
        pull = _Pull(reply, question["batch"], now + expires_s, question.get("priority", 0))
        if question.get("no_wait"):
            given = self._serve(pull)
            if pull.left:
                status = _EXPIRED if given else _NOTHING
                headers = {"Status": status, "Nats-Pending-Messages": str(pull.left)}
                self.room.deliver(reply, "", headers, b"")
            return
        self._queue(pull)
        self.room.at(pull.expires_at, self._expire, pull)
        pull.heartbeat_s = question.get("idle_heartbeat", 0) / 1e9
        if pull.heartbeat_s:
            self.room.at(now + pull.heartbeat_s, self._beat, pull)
        self.serve()

    def serve(self) -> None:
        """Hand out what there is to those who have asked."""
        while self._pulls:
            pull = self._pulls[0]
            if not self.room.has_listener(pull.reply):
                self._pulls.popleft()
                continue
            self._serve(pull)
            if pull.left:
                return
            self._pulls.popleft()

    def _queue(self, pull: _Pull) -> None:
        pulls = self._pulls
        behind = len(pulls)
        while behind and pulls[behind - 1].priority > pull.priority:
            behind -= 1
        pulls.insert(behind, pull)

    def acknowledge(self, sequence: int, data: bytes, delay_s: float = 0.0) -> None:
        """Hear of a message: it is done, given back, or still worked on."""
        given = self.given.get(sequence)
        if given is None or given.acked_at is not None:
            return
        now = self.room.now
        if data.startswith(b"+WPI"):
            given.deadline = now + self.ack_wait_s
        elif data.startswith(b"-NAK"):
            given.deadline = now + delay_s
            self.room.at(given.deadline, self._look_at, sequence)
        else:
            given.acked_at = now

    @property
    def waiting(self) -> int:
        """How many messages were not handed out yet."""
        if len(self.stream.kept) == self.stream.last:
            return self.stream.last - self._next + 1
        return sum(sequence >= self._next for sequence in self.stream.kept)

    def forget_since(self, moment: float, *, deliveries: bool) -> None:
        """Lose what was acknowledged after a moment, and on one node what was handed out, too.

        On three nodes a majority knows of a delivery before it is sent (docs/adr/0025).
        """
        self._pulls.clear()
        for sequence, given in list(self.given.items()):
            if deliveries and given.first_at > moment:
                del self.given[sequence]
                self._next = min(self._next, sequence)
            elif given.acked_at is not None and given.acked_at > moment:
                given.acked_at = None
                given.deadline = self.room.now + self.ack_wait_s
        for sequence, given in self.given.items():
            if given.acked_at is None:
                self.room.at(given.deadline, self._look_at, sequence)

    def _serve(self, pull: _Pull) -> int:
        served = 0
        while pull.left:
            sequence = self._take()
            if sequence is None:
                break
            pull.left -= 1
            served += 1
            self._hand_out(sequence, pull.reply)
        return served

    def _take(self) -> int | None:
        while self._again:
            sequence = self._again.popleft()
            if self.given[sequence].acked_at is None and sequence in self.stream.kept:
                return sequence
        while self._next <= self.stream.last:
            sequence = self._next
            self._next += 1
            kept = self.stream.kept.get(sequence)
            if kept is not None and sequence not in self.given and matches(self.only, kept.subject):
                return sequence
        return None

    def _hand_out(self, sequence: int, to: str) -> None:
        now, kept = self.room.now, self.stream.kept[sequence]
        self._delivered += 1
        times = 1
        if self.ack_wait_s:
            given = self.given.setdefault(sequence, _Given(0, now, 0.0))
            given.times += 1
            given.deadline = now + self.ack_wait_s
            times = given.times
            self.room.at(given.deadline, self._look_at, sequence)
        pending = 0 if self.ack_wait_s else self.waiting
        published_ns = int((EPOCH_S + kept.at) * 1e9)
        place = f"{times}.{sequence}.{self._delivered}.{published_ns}.{pending}"
        reply = f"$JS.ACK.{self.stream.name}.{self.name}.{place}"
        self.room.deliver(to, reply, None, kept.data, told=kept.subject)

    def _look_at(self, sequence: int) -> None:
        given = self.given.get(sequence)
        if given is None or given.acked_at is not None or sequence in self._again:
            return
        if given.deadline > self.room.now:
            self.room.at(given.deadline, self._look_at, sequence)
            return
        self._again.append(sequence)
        self.serve()

    def _expire(self, pull: _Pull) -> None:
        if pull in self._pulls:
            self._pulls.remove(pull)
            headers = {"Status": _EXPIRED, "Nats-Pending-Messages": str(pull.left)}
            self.room.deliver(pull.reply, "", headers, b"")

    def _beat(self, pull: _Pull) -> None:
        if pull in self._pulls:
            self.last_pull_at = self.room.now
            self.room.deliver(pull.reply, "", {"Status": _HEARTBEAT}, b"")
            self.room.at(self.room.now + pull.heartbeat_s, self._beat, pull)
