"""The streams of the simulated broker: messages in their order, fenced by what they expect."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final

from simulation.loop import START_S

WRONG_LAST_SEQUENCE: Final = 10071
NO_LEADER: Final = 10008

_FENCE: Final = "Nats-Expected-Last-Subject-Sequence"
_MESSAGE_ID: Final = "Nats-Msg-Id"
_LONGEST_LAG_S: Final = 0.4


@dataclass(slots=True)
class Kept:
    """A message of a stream."""

    sequence: int
    subject: str
    data: bytes
    at: float


class RefusedError(Exception):
    """The broker refuses a message."""

    def __init__(self, code: int) -> None:
        """`code`: the broker's own, as `err_code` says it."""
        super().__init__(code)
        self.code = code


@dataclass
class Stream:
    """One stream, on one node or on three."""

    name: str
    prefixes: tuple[str, ...]
    in_memory: bool = False
    last_only: bool = False
    """Whether only the last message of a subject is kept."""
    last: int = 0
    leaderless_until: float = START_S
    kept: dict[int, Kept] = field(default_factory=dict[int, Kept])
    """By sequence, in its order."""
    _by_key: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    _ids: dict[str, int] = field(default_factory=dict[str, int])

    def takes(self, subject: str) -> bool:
        """Tell whether messages on a subject are kept here."""
        return subject.startswith(self.prefixes)

    def append(self, subject: str, headers: dict[str, str] | None, data: bytes, at: float) -> int:
        """Keep a message; gives its sequence. Raises `RefusedError`."""
        key = key_of(subject)
        if headers is not None:
            expected, message_id = headers.get(_FENCE), headers.get(_MESSAGE_ID)
            if expected is not None and int(expected) != self.last_of(key):
                raise RefusedError(WRONG_LAST_SEQUENCE)
            if message_id is not None:
                if message_id in self._ids:
                    return self._ids[message_id]
                self._ids[message_id] = self.last + 1
        self.last += 1
        if self.last_only:
            self.purge(key)
        self.kept[self.last] = Kept(self.last, subject, data, at)
        self._by_key.setdefault(key, []).append(self.last)
        return self.last

    def last_of(self, key: str) -> int:
        """Give the sequence of the last message of a turn, a conversation or a subject; 0: none."""
        sequences = self._by_key.get(key)
        return sequences[-1] if sequences else 0

    def read(self, pattern: str, start: int) -> Iterator[Kept]:
        """Give the messages of a subject or a pattern from a sequence on."""
        if "*" in pattern or pattern == ">":
            for each in list(self.kept.values()):
                if each.sequence >= start and matches(pattern, each.subject):
                    yield each
            return
        for sequence in list(self._by_key.get(key_of(pattern.removesuffix(".>")), ())):
            if sequence >= start and sequence in self.kept:
                yield self.kept[sequence]

    def erase(self, sequence: int) -> bool:
        """Remove one message; whether it was there."""
        gone = self.kept.pop(sequence, None)
        if gone is None:
            return False
        self._by_key[key_of(gone.subject)].remove(sequence)
        return True

    def purge(self, key: str) -> int:
        """Remove all messages of a subject; gives how many."""
        sequences = self._by_key.pop(key, [])
        for sequence in sequences:
            self.kept.pop(sequence, None)
        return len(sequences)

    def lose_memory(self) -> None:
        """Begin anew, if this is kept in memory alone."""
        if self.in_memory:
            self.kept.clear()
            self._by_key.clear()
            self._ids.clear()
            self.last = 0


def seen_by_replica(stream: Stream, now: float, random: Random) -> int:
    """Give up to which sequence some replica has got that may be behind the leader."""
    if random.random() < 0.5:
        return stream.last
    behind = now - random.random() * _LONGEST_LAG_S
    newest_first = reversed(stream.kept.values())
    return next((each.sequence for each in newest_first if each.at <= behind), 0)


def key_of(subject: str) -> str:
    """Give what a fence is about: a turn, a conversation, or the subject itself."""
    if subject.startswith(("turn.", "conversation.")):
        return ".".join(subject.split(".", 3)[:3])
    return subject


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    words = re.escape(pattern).replace(r"\*", r"[^.]+").replace(r"\.>", r"\..+").replace(">", ".+")
    return re.compile(words)


def matches(pattern: str, subject: str) -> bool:
    """Tell whether a subject matches a pattern."""
    return _compiled(pattern).fullmatch(subject) is not None
