"""Padding hides how long a delta is, and is the same whenever a stream is written."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_contracts.wire.obfuscation import noise, padding
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing.examples import OTHER_ID, RESPONSE_ID, closed, requested
from turnwire_testing.stories import Story, stories, tell

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
numbers = st.integers(0, 10**6)
LOGPROBS: list[JSON] = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]


def streamed(story: Story, *, obfuscate: bool) -> list[JSON]:
    """Write the stream of a turn that told this story; gives what its frames say."""
    assembler = Assembler(RESPONSE_ID)
    tell(assembler, story)
    request = requested(stream=True, obfuscate=obfuscate)
    turn = fold([request, closed(output=assembler.items, cuts=assembler.cuts)])
    assert isinstance(turn, ClosedTurn)
    return [payload(frame) for frame in stream_of(turn)]


@given(texts, numbers)
def test_a_delta_and_its_padding_have_a_multiple_of_sixteen_characters(
    text: str, number: int
) -> None:
    said = orjson.dumps(text)
    padded = padding(noise(RESPONSE_ID), number, len(said))
    assert (len(said) - 2 + len(padded)) % 16 == 0
    assert 1 <= len(padded) <= 16


@given(texts, texts, numbers, st.booleans())
def test_frames_differ_in_length_by_whole_blocks_whatever_they_say(
    text: str,
    other: str,
    number: int,
    carrying: bool,  # noqa: FBT001 -- a case, not a switch
) -> None:
    writer = FrameWriter(number, noise(RESPONSE_ID))
    logprobs = LOGPROBS if carrying else None
    for said in (text, other):
        writer.next_number = number
        writer.delta(b"data: {", said, logprobs)
    first, second = writer.take()[1]
    assert (len(first) - len(second)) % 16 == 0


@given(st.integers(0, 10**6), st.integers(2, 40))
def test_a_padding_can_stand_in_json_as_it_is(number: int, length: int) -> None:
    padded = padding(noise(RESPONSE_ID), number, length)
    assert orjson.dumps(padded.decode()) == b'"%b"' % padded


@given(numbers)
def test_the_next_delta_is_padded_with_other_characters(number: int) -> None:
    made = noise(RESPONSE_ID)
    assert padding(made, number, 3) != padding(made, number + 1, 3)


def test_no_two_responses_are_padded_alike() -> None:
    assert noise(RESPONSE_ID) != noise(OTHER_ID)


def test_a_response_is_padded_alike_in_every_version() -> None:
    writer = FrameWriter(4, noise(ResponseId("resp_019a0000000000000000000000000001")))
    writer.delta(b'data: {"sequence_number":', "Hello")
    assert writer.take()[1] == [
        b'data: {"sequence_number":4,"delta":"Hello","obfuscation":"R_dR946aTEQ"}\n\n'
    ]


@given(stories)
def test_deltas_are_padded_and_nothing_else_is(story: Story) -> None:
    for event in streamed(story, obfuscate=True):
        assert ("obfuscation" in event) == event["type"].endswith(".delta")


@given(stories)
def test_a_padded_stream_says_what_one_without_padding_says(story: Story) -> None:
    padded = streamed(story, obfuscate=True)
    for event in padded:
        event.pop("obfuscation", None)
    assert padded == streamed(story, obfuscate=False)


@pytest.mark.parametrize("obfuscate", [False, True])
def test_the_response_does_not_tell_whether_its_stream_is_padded(*, obfuscate: bool) -> None:
    events = streamed((), obfuscate=obfuscate)
    assert all("obfuscat" not in orjson.dumps(event).decode() for event in events)
