"""The whole stream of a turn: its opening, its items, its end. Live and from the log alike."""

from typing import Any

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.turn import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler, write_again
from turnwire_contracts.wire.frames import FrameWriter
from turnwire_contracts.wire.response import Progress, closed_response, response_object

_TERMINAL = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    # OpenAI has no event for it; its responses server ends such a stream this way.
    "cancelled": "response.failed",
}


def write_opening(frames: FrameWriter, request: Requested, instructions: str | None) -> None:
    """Write the two frames that every stream starts with."""
    response: dict[str, Any] = {
        "response": response_object(request, Progress("in_progress", instructions))
    }
    frames.event("response.created", response)
    frames.event("response.in_progress", response)


def write_end(frames: FrameWriter, turn: ClosedTurn) -> None:
    """Write the one terminal frame."""
    frames.event(_TERMINAL[turn.closed.status], {"response": closed_response(turn)})


def count_frames(request: Requested, items: list[Item], item_cuts: list[list[str]]) -> int:
    """Count the frames from the opening to the end of `items`."""
    frames = FrameWriter()
    write_opening(frames, request, None)
    write_again(Assembler(request.response_id, frames), items, item_cuts)
    return frames.next_number


def stream_of(turn: ClosedTurn) -> list[bytes]:
    """Write every frame of a turn that has ended, as it was written when the turn ran."""
    frames = FrameWriter()
    write_opening(frames, turn.request, turn.instructions)
    write_again(Assembler(turn.request.response_id, frames), turn.output, turn.cuts)
    write_end(frames, turn)
    return frames.take()[1]
