r"""Frames: SSE events as bytes, encoded once by the turn's owner and never parsed again.

Several frames that are there at once travel in one message. Its first line says which:

    <kind> <epoch> <first> <count>\n<frames>

`kind` is `F` (more follows), `E` (the last frame ends the response) or `A` (an answer instead of a
stream: `first` is the HTTP status, `count` its `Retry-After` in seconds or 0, the rest its JSON
body). `epoch` counts the owners of the turn. A new owner announces itself by an `F` without frames,
whose `first` says how many it has found: from then on nobody listens to older ones.
"""

from typing import Final, Literal

import orjson
from msgspec import Struct

from turnwire_contracts.ids import ItemId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.obfuscation import padding

DONE: Final = b"data: [DONE]\n\n"
"""Open Responses: what every stream ends with; it is not a frame and has no number."""

KEEP_ALIVE: Final = b": keep-alive\n\n"


class FrameMessage(Struct, frozen=True):
    """One message on `output.<response_id>`."""

    kind: Literal["F", "E", "A"]
    epoch: int
    first: int
    """`sequence_number` of the first frame; for an answer, its HTTP status."""
    count: int
    """How many frames; for an answer, in how many seconds to try again (0: that is not known)."""
    body: bytes

    @property
    def end(self) -> int:
        """The `sequence_number` after the last frame."""
        return self.first + self.count

    @property
    def announces_owner(self) -> bool:
        """Whether this says only that the turn has a new owner."""
        return self.kind == "F" and not self.count


def pack(message: FrameMessage) -> bytes:
    """Encode a message: a line with its kind, epoch and numbers, then the frames."""
    head = f"{message.kind} {message.epoch} {message.first} {message.count}\n"
    return head.encode() + message.body


def unpack(data: bytes) -> FrameMessage:
    """Decode a message; the frames stay bytes.

    Raises `ValueError` when it is none.
    """
    head, _, body = data.partition(b"\n")
    kind, epoch, first, count = head.split(b" ")
    name = kind.decode()
    if name not in ("F", "E", "A"):
        raise ValueError(f"not a frame message: {name}")
    return FrameMessage(name, int(epoch), int(first), int(count), body)


def split(body: bytes) -> list[bytes]:
    """Cut joined frames apart; a frame's JSON holds no line break, so a blank line ends it."""
    return [frame + b"\n\n" for frame in body.split(b"\n\n") if frame]


def tail(message: FrameMessage, start: int) -> bytes:
    """Give the frames of a message from `sequence_number` `start` on."""
    if start <= message.first:
        return message.body
    return b"".join(split(message.body)[start - message.first :])


def payload(frame: bytes) -> JSON:
    """Read the JSON of a frame; only recovery does this, never the live path."""
    return orjson.loads(frame.partition(b"\ndata: ")[2])


class FrameWriter:
    """Numbers and encodes the frames of one response; `take` hands over what has gathered."""

    def __init__(self, next_number: int = 0, noise: bytes = b"") -> None:
        """Start at `next_number`, which is 0 unless frames have been published before.

        `noise` pads deltas (`obfuscation.py`); without it they are not padded.
        """
        self.next_number = next_number
        self._noise = noise
        self._taken = next_number
        self._waiting: list[bytes] = []

    def event(self, kind: str, fields: JSON) -> None:
        """Encode one event that is not a delta."""
        head = b'event: %b\ndata: {"type":"%b","sequence_number":%d,'
        name = kind.encode()
        self._waiting.append(
            head % (name, name, self.next_number) + orjson.dumps(fields)[1:] + b"\n\n"
        )
        self.next_number += 1

    def delta(self, prefix: bytes, text: str, logprobs: list[JSON] | None = None) -> None:
        """Encode one delta behind the bytes that all deltas of its part share."""
        number, text_json = self.next_number, orjson.dumps(text)
        if logprobs:
            text_json += b',"logprobs":%b' % orjson.dumps(logprobs)
        if self._noise:
            padded = padding(self._noise, number, len(text_json))
            frame = b'%b%d,"delta":%b,"obfuscation":"%b"}\n\n' % (prefix, number, text_json, padded)
        else:
            frame = b'%b%d,"delta":%b}\n\n' % (prefix, number, text_json)
        self._waiting.append(frame)
        self.next_number = number + 1

    def take(self) -> tuple[int, list[bytes]]:
        """Hand over the frames since the last call, and the number of the first."""
        first, frames = self._taken, self._waiting
        self._taken, self._waiting = self.next_number, []
        return first, frames


def delta_prefix(kind: str, item_id: ItemId, place: JSON) -> bytes:
    """Encode what all deltas of one part share; `place` holds the indices and constant fields."""
    shared = orjson.dumps({"type": kind, "item_id": item_id, **place})
    return b"event: %b\ndata: %b," % (kind.encode(), shared[:-1]) + b'"sequence_number":'
