"""The whole stream of a turn: its opening, its items, its end. Live and from the log alike."""

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter
from turnwire_contracts.wire.obfuscation import noise
from turnwire_contracts.wire.replay import write_again
from turnwire_contracts.wire.response import closed_response, running_response

_TERMINAL = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    # OpenAI has no event for it; its responses server ends such a stream this way.
    "cancelled": "response.failed",
}

_TERMINAL_STARTS = tuple(f"event: {kind}\n".encode() for kind in sorted({*_TERMINAL.values()}))


def frame_writer(request: Requested, next_number: int = 0) -> FrameWriter:
    """Make the writer of a turn's frames; its first frame has the number `next_number`."""
    padded = noise(request.response_id) if request.obfuscate else b""
    return FrameWriter(next_number, padded)


def write_opening(frames: FrameWriter, request: Requested, instructions: str | None) -> None:
    """Write the frames that every stream starts with: two, or three of a turn that was queued."""
    running = _response(request, instructions, started=True)
    if request.background:
        queued = _response(request, instructions, started=False)
        frames.event("response.created", queued)
        frames.event("response.queued", queued)
    else:
        frames.event("response.created", running)
    frames.event("response.in_progress", running)


def write_end(frames: FrameWriter, turn: ClosedTurn) -> None:
    """Write the one terminal frame."""
    frames.event(_TERMINAL[turn.closed.status], {"response": closed_response(turn)})


def write_told(frames: FrameWriter, request: Requested, so_far: OutputSoFar) -> None:
    """Write the frames of what came before the last sample."""
    assembler = Assembler(request.response_id, frames)
    write_again(assembler, [*so_far.items], so_far.cuts, so_far.rounds, so_far.runs)


def count_frames(request: Requested, so_far: OutputSoFar) -> int:
    """Count the frames from the opening to the end of what was told."""
    frames = frame_writer(request)
    write_opening(frames, request, None)
    write_told(frames, request, so_far)
    return frames.next_number


def stream_of(turn: ClosedTurn) -> list[bytes]:
    """Write every frame of a turn that has ended, as it was written when the turn ran."""
    frames = frame_writer(turn.request)
    write_opening(frames, turn.request, turn.instructions)
    rounds = (*turn.so_far.rounds, len(turn.output))
    runs = [*turn.so_far.runs, *turn.so_far.behind(turn.closed.runs)]
    assembler = Assembler(turn.request.response_id, frames)
    write_again(assembler, turn.output, turn.cuts, rounds, runs)
    write_end(frames, turn)
    return frames.take()[1]


def rest_of(turn: ClosedTurn, start: int, *, end_told: bool = False) -> list[bytes]:
    """Write the frames of a turn that has ended from the one with number `start` on.

    More may have been told than came into the log: an output that was too large for it, or that the
    guard withheld. Who has heard more than that hears the end alone, as the next frame, unless
    it may have been told already (`end_told`).
    """
    frames = stream_of(turn)[start:]
    if frames or end_told:
        return frames
    writer = frame_writer(turn.request, start)
    write_end(writer, turn)
    return writer.take()[1]


def keeps_all_told(turn: ClosedTurn) -> bool:
    """Tell whether the log is sure to have all that was told of a turn.

    Not where it has nothing of the last sample, or only its shape: the output was too large, or
    withheld, or who refused the turn did not know of it.
    """
    return bool(turn.closed.output) and not turn.closed.withheld


def is_end(frame: bytes) -> bool:
    """Tell whether a frame is the terminal one of its response."""
    return frame.startswith(_TERMINAL_STARTS)


def _response(request: Requested, instructions: str | None, *, started: bool) -> JSON:
    return {"response": running_response(request, instructions, started=started)}
