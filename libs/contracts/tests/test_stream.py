"""The stream of a turn: one grammar, and the same bytes live and from the log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import codec
from turnwire_contracts.events import Failure
from turnwire_contracts.tool_rounds import output_so_far
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.stream import (
    count_frames,
    frame_writer,
    stream_of,
    write_end,
    write_opening,
)
from turnwire_testing.examples import RESPONSE_ID, closed, requested, taken_over
from turnwire_testing.open_responses import problems_of_event
from turnwire_testing.openai_types import check_event
from turnwire_testing.stories import Opaque, Part, Story, Told, stories, tell
from turnwire_testing.stream_grammar import check_stream

WIRE = Path(__file__).parent / "golden" / "short-stream.sse"
ENDS: dict[str, dict[str, Any]] = {
    "completed": {"status": "completed"},
    "incomplete": {"status": "incomplete", "incomplete_reason": "max_output_tokens"},
    "failed": {
        "status": "failed",
        "failure": Failure(502, "server_error", "backend_error", "It broke."),
    },
    "cancelled": {"status": "cancelled"},
}
ends = st.sampled_from(sorted(ENDS))
instructions = st.none() | st.text(max_size=3)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a response was asked for."""

    background: bool = False
    obfuscate: bool = False


kinds = st.builds(Kind, st.booleans(), st.booleans())
PLAIN = Kind()


def live(
    story: Story, end: str, told: str | None = None, kind: Kind = PLAIN
) -> tuple[list[bytes], ClosedTurn]:
    """Tell a story to a live stream; gives its frames, and the turn as the log has it."""
    request = requested(stream=True, background=kind.background, obfuscate=kind.obfuscate)
    frames = frame_writer(request)
    write_opening(frames, request, told)
    assembler = Assembler(RESPONSE_ID, frames)
    tell(assembler, story, incomplete=end != "completed")
    ending = closed(
        output=assembler.items,
        cuts=assembler.cuts,
        runs=assembler.runs,
        instructions=told,
        **ENDS[end],
    )
    logged = codec.decode("closed", codec.encode(ending))
    turn = fold([request, logged])
    assert isinstance(turn, ClosedTurn)
    write_end(frames, turn)
    return frames.take()[1], turn


@given(stories, ends, instructions, kinds)
def test_the_log_gives_the_live_stream_again_byte_for_byte(
    story: Story, end: str, told: str | None, kind: Kind
) -> None:
    frames, turn = live(story, end, told, kind)
    assert stream_of(turn) == frames


@given(stories, ends, kinds)
def test_every_stream_follows_the_grammar(story: Story, end: str, kind: Kind) -> None:
    frames, _ = live(story, end, kind=kind)
    check_stream([payload(frame) for frame in frames])


@given(stories, ends, kinds)
def test_every_event_is_one_that_openais_client_knows(story: Story, end: str, kind: Kind) -> None:
    frames, _ = live(story, end, kind=kind)
    for frame in frames:
        check_event(payload(frame))


@given(stories, ends, kinds)
def test_every_event_is_valid_for_open_responses(story: Story, end: str, kind: Kind) -> None:
    frames, _ = live(story, end, kind=kind)
    problems = [problem for frame in frames for problem in problems_of_event(payload(frame))]
    assert problems == []


@given(stories, ends)
def test_every_frame_names_its_type_and_ends_with_a_blank_line(story: Story, end: str) -> None:
    frames, _ = live(story, end)
    for frame in frames:
        name, data, *rest = frame.split(b"\n")
        assert name.removeprefix(b"event: ").decode() == payload(frame)["type"]
        assert data.startswith(b'data: {"type":')
        assert rest == [b"", b""]


@given(stories, stories, kinds)
def test_a_taken_over_turn_streams_what_was_seen_and_then_what_is_new(
    seen: Story, new: Story, kind: Kind
) -> None:
    request = requested(stream=True, background=kind.background, obfuscate=kind.obfuscate)
    frames = frame_writer(request)
    write_opening(frames, request, None)
    lost = Assembler(RESPONSE_ID, frames)
    tell(lost, seen, incomplete=True)
    published = frames.take()[1]
    frames = frame_writer(request, len(published))
    second = Assembler(RESPONSE_ID, frames, len(lost.items))
    tell(second, new)
    claim = taken_over(abandoned=lost.items, cuts=lost.cuts, runs=lost.runs)
    turn = fold([request, claim, closed(output=second.items, cuts=second.cuts, runs=second.runs)])
    assert isinstance(turn, ClosedTurn)
    write_end(frames, turn)
    live_frames = [*published, *frames.take()[1]]
    assert stream_of(turn) == live_frames
    check_stream([payload(frame) for frame in live_frames])


@given(stories, kinds)
def test_frames_are_counted_without_being_kept(story: Story, kind: Kind) -> None:
    frames, turn = live(story, "completed", kind=kind)
    before = output_so_far.OutputSoFar(
        tuple(turn.output), tuple(turn.cuts), runs=tuple(turn.closed.runs)
    )
    assert count_frames(turn.request, before) == len(frames) - 1


@given(stories)
def test_an_assembler_without_frames_gathers_the_same_items(story: Story) -> None:
    _, turn = live(story, "completed")
    silent = Assembler(RESPONSE_ID)
    tell(silent, story)
    assert (silent.items, silent.cuts) == (turn.output, turn.cuts)


@pytest.mark.parametrize(
    ("status", "terminal"),
    [
        ("completed", "response.completed"),
        ("incomplete", "response.incomplete"),
        ("failed", "response.failed"),
        ("cancelled", "response.failed"),
    ],
)
def test_the_terminal_event_tells_the_status(status: str, terminal: str) -> None:
    frames, _ = live((), status)
    last = payload(frames[-1])
    assert (last["type"], last["response"]["status"]) == (terminal, status)


def test_a_background_stream_tells_the_queue_before_the_start() -> None:
    frames, _ = live((), "completed", kind=Kind(background=True))
    told = [payload(frame) for frame in frames[:3]]
    assert [(event["type"], event["response"]["status"]) for event in told] == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]
    assert all(event["response"]["background"] for event in told)


def test_an_item_in_an_ended_stream_is_numbered_and_named_by_us() -> None:
    story: Story = (
        Told({"type": "message", "id": "theirs"}, (Part("output_text", ("Hi",)),)),
        Told({"type": "function_call", "name": "f", "call_id": "theirs"}, deltas=("{}",)),
        Opaque({"type": "web_search_call", "id": "theirs", "status": "failed"}),
    )
    _, turn = live(story, "completed")
    digits = RESPONSE_ID.removeprefix("resp_")
    assert [item["id"] for item in turn.output] == [
        f"msg_{digits}o0",
        f"fc_{digits}o1",
        f"item_{digits}o2",
    ]
    assert turn.output[1]["call_id"] == f"call_{digits}o1"


def test_a_short_stream_reads_like_this_on_the_wire() -> None:
    frames, _ = live((Told({"type": "message"}, (Part("output_text", ("Hé", "!")),)),), "completed")
    assert b"".join(frames[2:-1]) == WIRE.read_bytes()


def test_a_part_outside_an_item_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an open item"):
        Assembler(RESPONSE_ID).add_part("output_text")
