"""A stream as beats: bytes that leave together, and the changes a delivery makes to them."""

from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import NamedTuple

from scripted_backend.answers import Delivery


class Beat(NamedTuple):
    """Bytes of one write, and how many deltas are out once they have left."""

    data: bytes
    deltas: int = 0
    terminal: bool = False


def deliver(beats: Iterable[Beat], delivery: Delivery) -> Iterator[Beat]:
    """Change a stream into what this delivery makes of it; timing is not its affair."""
    if delivery.stop is not None:
        after = delivery.stop.after
        beats = _before_the_end(beats) if after is None else _first(beats, after)
    if delivery.comments:
        beats = (beat._replace(data=b": keep-alive\n\n" + beat.data) for beat in beats)
    if delivery.crlf:
        beats = (beat._replace(data=beat.data.replace(b"\n", b"\r\n")) for beat in beats)
    if delivery.split:
        beats = _split(beats, delivery)
    return iter(beats)


def _before_the_end(beats: Iterable[Beat]) -> Iterator[Beat]:
    for beat in beats:
        if beat.terminal:
            return
        yield beat


def _first(beats: Iterable[Beat], deltas: int) -> Iterator[Beat]:
    left = deltas
    for beat in beats:
        if left == 0 and (deltas > 0 or beat.deltas):
            return
        yield beat
        left -= beat.deltas


def _split(beats: Iterable[Beat], delivery: Delivery) -> Iterator[Beat]:
    """Cut at borders that ignore the events, except where the stream is to pause."""
    sizes = cycle(delivery.split)
    size = next(sizes)
    held, deltas, total = b"", 0, 0
    for beat in beats:
        if held and beat.deltas and total in delivery.pauses:
            yield Beat(held, deltas)
            held, deltas = b"", 0
        held += beat.data
        deltas += beat.deltas
        total += beat.deltas
        while len(held) > size:
            yield Beat(held[:size])
            held, size = held[size:], next(sizes)
        if beat.deltas and total in delivery.pauses:
            yield Beat(held, deltas)
            held, deltas = b"", 0
    if held:
        yield Beat(held, deltas)
