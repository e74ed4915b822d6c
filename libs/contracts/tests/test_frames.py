"""Frames travel joined in messages and come apart again."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.ids import ItemId
from turnwire_contracts.wire.frames import (
    FrameMessage,
    FrameWriter,
    delta_prefix,
    pack,
    payload,
    split,
    tail,
    unpack,
)

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
kinds = st.sampled_from(["F", "E", "A"])
numbers = st.integers(0, 10**9)
messages = st.builds(FrameMessage, kinds, numbers, numbers, numbers, st.binary(max_size=200))


def frames_of(told: list[str], first: int = 0) -> list[bytes]:
    """Write one event for each text."""
    writer = FrameWriter(first)
    for text in told:
        writer.event("response.example", {"text": text})
    return writer.take()[1]


@given(messages)
def test_a_message_is_read_as_it_was_written(message: FrameMessage) -> None:
    assert unpack(pack(message)) == message


@pytest.mark.parametrize("data", [b"", b"X 1 2 3\n", b"F 1 2\n", b"F a b c\n", b"F 1 2 3 4\n"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack(data)


@given(st.lists(texts, max_size=8))
def test_joined_frames_split_back_into_themselves(told: list[str]) -> None:
    frames = frames_of(told)
    assert split(b"".join(frames)) == frames


@given(st.lists(texts, min_size=1, max_size=8), st.integers(0, 100), st.data())
def test_the_tail_of_a_message_starts_at_the_wanted_number(
    told: list[str], first: int, data: st.DataObject
) -> None:
    frames = frames_of(told, first)
    message = FrameMessage("F", 1, first, len(frames), b"".join(frames))
    start = data.draw(st.integers(0, message.end))
    kept = [payload(frame)["sequence_number"] for frame in split(tail(message, start))]
    assert kept == [number for number in range(first, message.end) if number >= start]


@given(st.lists(texts, min_size=1, max_size=8), st.integers(0, 1000))
def test_numbers_go_on_without_a_gap_over_all_takes(told: list[str], first: int) -> None:
    writer = FrameWriter(first)
    taken: list[bytes] = []
    for text in told:
        writer.event("response.example", {"text": text})
        start, frames = writer.take()
        assert start == payload(frames[0])["sequence_number"]
        taken += frames
    assert [payload(frame)["sequence_number"] for frame in taken] == list(
        range(first, first + len(told))
    )
    assert writer.next_number == first + len(told)


@given(texts)
def test_an_event_names_its_type_in_the_line_and_in_the_body(text: str) -> None:
    (frame,) = frames_of([text])
    name, data, *rest = frame.split(b"\n")
    assert name == b"event: response.example"
    assert rest == [b"", b""]
    assert orjson.loads(data.removeprefix(b"data: ")) == {
        "type": "response.example",
        "sequence_number": 0,
        "text": text,
    }


@given(texts)
def test_a_delta_says_the_same_as_an_event_with_the_same_fields(text: str) -> None:
    place = {"output_index": 2, "content_index": 1}
    writer = FrameWriter(7)
    writer.delta(delta_prefix("response.output_text.delta", ItemId("msg_1"), place), text)
    writer.event("response.output_text.delta", {"item_id": "msg_1", **place, "delta": text})
    delta, event = (payload(frame) for frame in writer.take()[1])
    assert delta.pop("sequence_number") == 7
    assert event.pop("sequence_number") == 8
    assert delta == event
