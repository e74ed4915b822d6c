"""What clients have seen of a lost sample is read back from its frames, exactly."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.tool_rounds import output_so_far
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter
from turnwire_contracts.wire.replay import write_again
from turnwire_contracts.wire.stream import count_frames, write_opening
from turnwire_orchestrator.turn_runner.recovery import seen_items
from turnwire_testing.examples import RESPONSE_ID, requested
from turnwire_testing.stories import Part, Story, Told, stories, tell, telling

REQUEST = requested(stream=True)


def published(story: Story, first_index: int = 0) -> list[list[bytes]]:
    """Tell a story; gives the frames of each call, which leave together."""
    frames = FrameWriter()
    assembler = Assembler(RESPONSE_ID, frames, first_index)
    return [frames.take()[1] for _ in telling(assembler, story)]


@given(stories, st.data())
def test_what_was_seen_is_written_again_exactly_as_it_was_seen(
    story: Story, data: st.DataObject
) -> None:
    messages = published(story)
    seen = data.draw(st.integers(0, len(messages)))
    prefix = [frame for message in messages[:seen] for frame in message]
    items, cuts, runs = seen_items(RESPONSE_ID, prefix, 0)
    again = FrameWriter()
    write_again(Assembler(RESPONSE_ID, again), items, cuts, runs=runs)
    assert again.take()[1][: len(prefix)] == prefix


@given(stories)
def test_a_sample_that_was_seen_to_its_end_is_read_back_whole(story: Story) -> None:
    frames = [frame for message in published(story) for frame in message]
    whole = Assembler(RESPONSE_ID)
    tell(whole, story)
    assert seen_items(RESPONSE_ID, frames, 0) == (whole.items, whole.cuts, whole.runs)


@given(stories, stories)
def test_a_second_lost_sample_is_read_back_behind_the_first(first: Story, second: Story) -> None:
    told = Assembler(RESPONSE_ID)
    tell(told, first)
    frames = [frame for message in published(second, len(told.items)) for frame in message]
    items, _, _ = seen_items(RESPONSE_ID, frames, len(told.items))
    whole = Assembler(RESPONSE_ID, None, len(told.items))
    tell(whole, second)
    assert items == whole.items


@given(stories, st.data())
def test_the_opening_and_what_was_known_before_is_counted_away(
    story: Story, data: st.DataObject
) -> None:
    frames = FrameWriter()
    write_opening(frames, REQUEST, data.draw(st.none() | st.text(max_size=3)))
    whole = Assembler(RESPONSE_ID, frames)
    tell(whole, story)
    before = output_so_far.OutputSoFar(
        tuple(whole.items), tuple(whole.cuts), runs=tuple(whole.runs)
    )
    assert count_frames(REQUEST, before) == len(frames.take()[1])


def test_an_item_that_was_open_ends_as_incomplete() -> None:
    story: Story = (Told({"type": "message"}, (Part("output_text", ("Hel", "lo")),)),)
    frames = [frame for message in published(story)[:3] for frame in message]
    items, cuts, _ = seen_items(RESPONSE_ID, frames, 0)
    assert items[0]["status"] == "incomplete"
    assert items[0]["content"][0]["text"] == "Hel"
    assert cuts == [["D"]]


def test_nothing_was_seen_of_a_sample_without_frames() -> None:
    assert seen_items(RESPONSE_ID, [], 0) == ([], [], [])
