"""Log probabilities travel with the deltas whose tokens they are, live and from the log alike."""

from typing import Any

import pytest

from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.stream import frame_writer, stream_of, write_end, write_opening
from turnwire_testing.examples import RESPONSE_ID, closed, requested
from turnwire_testing.stories import Part, Story, Told, tell


def token(text: str) -> JSON:
    """One token with its log probability."""
    return {"token": text, "logprob": -0.25, "bytes": [*text.encode()], "top_logprobs": []}


HEL, LO = token("Hel"), token("lo")


def message(*deltas: str, logprobs: tuple[tuple[JSON, ...], ...] = (), **part: Any) -> Story:
    """Tell one message of one part."""
    kind = part.pop("kind", "output_text")
    return (Told({"type": "message"}, (Part(kind, deltas, logprobs=logprobs, **part),)),)


def live(story: Story) -> tuple[list[bytes], ClosedTurn]:
    """Tell a story to a live stream."""
    assembler = Assembler(RESPONSE_ID, frames := frame_writer(requested(stream=True)))
    write_opening(frames, requested(stream=True), None)
    tell(assembler, story)
    turn = fold([requested(stream=True), closed(output=assembler.items, cuts=assembler.cuts)])
    assert isinstance(turn, ClosedTurn)
    write_end(frames, turn)
    return frames.take()[1], turn


def deltas_of(frames: list[bytes]) -> list[tuple[str, list[JSON] | None]]:
    """Give each delta with what it carried."""
    events = [payload(frame) for frame in frames]
    return [(e["delta"], e.get("logprobs")) for e in events if e["type"].endswith(".delta")]


def test_each_delta_carries_its_own() -> None:
    frames, turn = live(message("Hel", "lo", "!", logprobs=((HEL,), (), (LO, HEL))))
    assert deltas_of(frames) == [("Hel", [HEL]), ("lo", []), ("!", [LO, HEL])]
    assert deltas_of(stream_of(turn)) == deltas_of(frames)


def test_the_part_holds_those_of_all_its_deltas() -> None:
    frames, turn = live(message("Hel", "lo", logprobs=((HEL,), (LO,))))
    done = [payload(frame) for frame in frames if b"output_text.done" in frame]
    assert [event["logprobs"] for event in done] == [[HEL, LO]]
    assert turn.output[0]["content"][0]["logprobs"] == [HEL, LO]


def test_a_token_without_text_is_told_for_its_log_probability() -> None:
    frames, turn = live(message("", "é", logprobs=((HEL,), (LO,))))
    assert deltas_of(frames) == [("", [HEL]), ("é", [LO])]
    assert stream_of(turn) == frames


def test_a_delta_without_them_costs_one_character_in_the_log() -> None:
    _, turn = live(message("Hel", "lo", "!"))
    assert turn.cuts == [["DCB"]]


def test_a_delta_with_them_costs_two() -> None:
    _, turn = live(message("Hel", "lo", "!", logprobs=((HEL,), (), (LO, HEL))))
    assert turn.cuts == [["DCB|BAC"]]


@pytest.mark.parametrize("kind", ["refusal", "summary_text", "reasoning_text"])
def test_only_output_text_has_any(kind: str) -> None:
    item = "message" if kind == "refusal" else "reasoning"
    story: Story = (Told({"type": item}, (Part(kind, ("No", "", "."), logprobs=((HEL,), (LO,))),)),)
    frames, turn = live(story)
    assert deltas_of(frames) == [("No", None), (".", None)]
    assert stream_of(turn) == frames
    assert turn.cuts == [["CB"]]


def test_arguments_of_a_call_have_none() -> None:
    assembler = Assembler(RESPONSE_ID)
    assembler.add_item({"type": "function_call", "name": "f"})
    assembler.delta("{}", [HEL])
    assembler.end_item()
    assert assembler.cuts == [["C"]]
    assert "logprobs" not in assembler.items[0]


def test_those_that_only_the_end_of_a_part_tells_are_kept_with_the_part() -> None:
    request = requested(stream=True)
    frames = frame_writer(request)
    write_opening(frames, request, None)
    assembler = Assembler(RESPONSE_ID, frames)
    assembler.add_item({"type": "message"})
    assembler.add_part("output_text")
    assembler.delta("Hello")
    assembler.end_part(logprobs=[HEL, LO])
    assembler.end_item()
    turn = fold([request, closed(output=assembler.items, cuts=assembler.cuts)])
    assert isinstance(turn, ClosedTurn)
    write_end(frames, turn)
    live_frames = frames.take()[1]
    assert deltas_of(live_frames) == [("Hello", [])]
    assert turn.output[0]["content"][0]["logprobs"] == [HEL, LO]
    assert stream_of(turn) == live_frames


def test_those_that_the_deltas_told_are_not_told_again_by_the_end_of_the_part() -> None:
    assembler = Assembler(RESPONSE_ID)
    assembler.add_item({"type": "message"})
    assembler.add_part("output_text")
    assembler.delta("Hel", [HEL])
    assembler.end_part(logprobs=[HEL])
    assert assembler.in_part is None
    assembler.end_item()
    assert assembler.items[0]["content"][0]["logprobs"] == [HEL]
