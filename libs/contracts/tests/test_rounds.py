"""Rounds of tools: what is told live is told again from the log, and no call stays open."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import AnyEvent, TurnUsage
from turnwire_contracts.turn import evolve, fold
from turnwire_contracts.turn_state import ClosedTurn, Sampling
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.stream import (
    count_frames,
    frame_writer,
    stream_of,
    write_end,
    write_opening,
)
from turnwire_testing.examples import (
    RESPONSE_ID,
    closed,
    requested,
    sampled,
    taken_over,
    tool_called,
    tool_returned,
)
from turnwire_testing.openai_types import check_event
from turnwire_testing.stories import Story, Told, as_tuple, deltas, items, tell
from turnwire_testing.stream_grammar import check_stream

CALL = {"type": "mcp_call", "server_label": "docs", "name": "search"}
REQUEST = requested(stream=True)
_calls = st.builds(Told, st.just(CALL), st.just(()), deltas)
_samples = st.lists(items | _calls, min_size=1, max_size=4).map(as_tuple)
_errors = st.none() | st.just({"type": "mcp_protocol_error", "code": 1, "message": "No."})


class Live:
    """An orchestrator's work on a turn: events, and the frames that go with them."""

    def __init__(self) -> None:
        self.frames = frame_writer(REQUEST)
        write_opening(self.frames, REQUEST, None)
        self.events: list[AnyEvent] = [REQUEST]

    @property
    def turn(self) -> Sampling:
        turn = fold(self.events)
        assert isinstance(turn, Sampling)
        return turn

    def sample(self, story: Story, *, cut_off: bool = False) -> Assembler:
        assembler = Assembler(RESPONSE_ID, self.frames, len(self.turn.so_far.items))
        tell(assembler, story, incomplete=cut_off)
        return assembler

    def round(self, story: Story, draw: st.DataObject) -> None:
        said = self.sample(story)
        self.events.append(
            sampled(output=said.items, cuts=said.cuts, runs=said.runs, usage=TurnUsage(1, 2))
        )
        waiting = [item["id"] for item in self.turn.so_far.waiting]
        self.events.append(tool_called(item_ids=waiting))
        for item_id in draw.draw(st.permutations(waiting)):
            error = draw.draw(_errors)
            self.events.append(tool_returned(item_id=item_id, output=None, error=error))
        self._tell_ends(ended=bool(waiting))

    def lose(self, story: Story) -> None:
        said = self.sample(story, cut_off=True)
        lost = [
            {**item, "status": "incomplete"} if item["type"] == "mcp_call" else item
            for item in said.items
        ]
        self.events.append(taken_over(abandoned=lost, cuts=said.cuts, runs=said.runs))
        self._tell_ends(ended=bool(lost))

    def _tell_ends(self, *, ended: bool) -> None:
        told = self.turn.so_far
        if ended:
            begun, end = (0, *told.rounds)[-2:]
            ends = Assembler(RESPONSE_ID, self.frames)
            ends.end_calls([*told.items[begun:end]], begun)


@given(st.lists(st.tuples(_samples, st.booleans()), max_size=4), st.data())
def test_the_log_gives_rounds_again_byte_for_byte(
    rounds: list[tuple[Story, bool]], draw: st.DataObject
) -> None:
    live = Live()
    for story, lost in rounds:
        if lost:
            live.lose(story)
        else:
            live.round(story, draw)
        assert count_frames(REQUEST, live.turn.so_far) == live.frames.next_number
    turn = evolve(live.turn, closed(output=[], cuts=[]))
    assert isinstance(turn, ClosedTurn)
    write_end(live.frames, turn)
    frames = live.frames.take()[1]
    assert stream_of(turn) == frames
    events = [payload(frame) for frame in frames]
    check_stream(events)
    for event in events:
        check_event(event)


@given(_samples, st.data())
def test_calls_that_are_not_waited_for_end_with_the_turn(story: Story, draw: st.DataObject) -> None:
    live = Live()
    said = live.sample(story)
    live.events.append(sampled(output=said.items, cuts=said.cuts, runs=said.runs))
    waiting = [item["id"] for item in live.turn.so_far.waiting]
    returned = draw.draw(st.sets(st.sampled_from(waiting))) if waiting else set[str]()
    for item_id in returned:
        live.events.append(tool_returned(item_id=item_id))
    turn = evolve(live.turn, closed(output=[], cuts=[], status="cancelled"))
    assert isinstance(turn, ClosedTurn)
    check_stream([payload(frame) for frame in stream_of(turn)])
    ends = {item["id"]: item["status"] for item in turn.output if item["id"] in waiting}
    assert ends == {each: "completed" if each in returned else "failed" for each in waiting}


@given(st.lists(_samples, max_size=3), st.data())
def test_usage_of_rounds_is_summed(stories: list[Story], draw: st.DataObject) -> None:
    live = Live()
    for story in stories:
        live.round(story, draw)
    expected = TurnUsage(len(stories), 2 * len(stories)) if stories else None
    assert (live.turn.usage, live.turn.samples) == (expected, len(stories))


def test_a_turn_with_calls_for_its_client_asks_it_until_the_model_is_asked_again() -> None:
    mine = {"id": "fc_1", "type": "function_call", "name": "mine", "call_id": "call_1"}
    live = Live()
    live.events.append(sampled(output=[mine]))
    assert live.turn.asks_client
    live.events.append(sampled())
    assert not live.turn.asks_client
