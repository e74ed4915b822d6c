"""A chat completion's stream is read as items, whoever made it and whatever it leaves out."""

from typing import Any

import orjson
import pytest

from scripted_backend import Dialect, Reply, Usage, calls, refuses, says, thinks
from scripted_backend.chat_grammar import chat_beats
from scripted_backend.grammar import Exchange
from turnwire_contracts.events import Item
from turnwire_contracts.events import TurnUsage as Counted
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_orchestrator.inference.sse import EventSplitter
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_orchestrator.prompting.client_tools import (
    AS_THEY_ARE,
    ClientTools,
    client_tools,
)
from turnwire_testing.examples import RESPONSE_ID

DIALECTS: list[Dialect] = ["openai", "llamacpp", "vllm", "ollama", "sglang"]
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)
ASKED: JSON = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}


class Read:
    """A sample that was read to its end."""

    def __init__(self, events: list[bytes], tools: ClientTools = AS_THEY_ARE) -> None:
        """Read the data of a stream."""
        frames = FrameWriter()
        assembler = Assembler(RESPONSE_ID, frames)
        reader = ChatReader(assembler, tools)
        for data in events:
            reader.take(data)
        self.outcome: SampleOutcome = reader.end()
        self.items: list[Item] = assembler.items
        self.events = [payload(frame) for frame in frames.take()[1]]

    @property
    def deltas(self) -> list[str]:
        """Every delta that clients see."""
        return [event["delta"] for event in self.events if event["type"].endswith(".delta")]

    @property
    def kinds(self) -> list[str]:
        """The types of the items."""
        return [item["type"] for item in self.items]

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The names and arguments of the calls."""
        return [(item["name"], item["arguments"]) for item in self.items if "arguments" in item]


def streamed(reply: Reply, dialect: Dialect, **asked: Any) -> list[bytes]:
    """Give the data of each chunk of a reply."""
    exchange = Exchange(body=ASKED | asked, size=40, number=7, created_at=1, chat=True)
    splitter = EventSplitter()
    return [
        data for beat in chat_beats(reply, exchange, dialect) for data in splitter.feed(beat.data)
    ]


def chunk(delta: JSON | None = None, finish: str | None = None, **more: Any) -> bytes:
    """One chunk."""
    return orjson.dumps({"choices": [{"delta": delta, "finish_reason": finish, **more}]})


def call(arguments: Any = None, name: str | None = None, **more: Any) -> bytes:
    """A chunk with a piece of a call."""
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"function": function, **more}]})


def text(item: Item) -> str:
    """The text of the only part of an item."""
    (part,) = item["content"]
    return part.get("text") or part["refusal"]


STOP = chunk({}, "stop")
DONE = b"[DONE]"


@every_dialect
def test_a_message_is_read_delta_by_delta(dialect: Dialect) -> None:
    read = Read(streamed(says("Hel", "lo", " 👋"), dialect))
    assert read.deltas == ["Hel", "lo", " 👋"]
    assert text(read.items[0]) == "Hello 👋"
    assert (read.items[0]["status"], read.outcome.status) == ("completed", "completed")


@every_dialect
def test_what_a_model_thinks_and_says_and_calls_is_read_in_order(dialect: Dialect) -> None:
    read = Read(streamed(thinks("h", "m") + says("Hi") + calls("add", {"a": 1}), dialect))
    assert read.kinds == ["reasoning", "message", "function_call"]
    assert [text(item) for item in read.items[:2]] == ["hm", "Hi"]
    assert read.calls == [("add", '{"a":1}')]


@every_dialect
def test_parallel_calls_are_items_with_ids_of_our_own(dialect: Dialect) -> None:
    reply = calls("add", {"a": 1}, call_id="call_theirs") + calls("sub", {"b": 2}, call_id="x")
    read = Read(streamed(reply, dialect))
    assert read.calls == [("add", '{"a":1}'), ("sub", '{"b":2}')]
    assert len({item["call_id"] for item in read.items}) == 2
    assert "call_theirs" not in str(read.events)


@every_dialect
def test_a_refusal_stays_a_refusal(dialect: Dialect) -> None:
    read = Read(streamed(refuses("I ", "will not."), dialect))
    assert read.items[0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


@every_dialect
def test_the_cost_is_counted(dialect: Dialect) -> None:
    reply = says("Hi").using(Usage(9, 5, cached_tokens=4, reasoning_tokens=2))
    assert Read(streamed(reply, dialect)).outcome.usage == Counted(9, 5, 4, 0, 2)


@every_dialect
@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_answer_that_was_cut_is_incomplete(dialect: Dialect, reason: str) -> None:
    read = Read(streamed(says("Hel").incomplete(reason), dialect))
    assert (read.outcome.status, read.outcome.incomplete_reason) == ("incomplete", reason)
    assert read.items[0]["status"] == "incomplete"


@every_dialect
def test_an_error_in_mid_stream_fails_and_keeps_what_was_said(dialect: Dialect) -> None:
    read = Read(streamed(says("Hel", "lo").broken(1, message="no memory left"), dialect))
    failure = read.outcome.failure
    assert failure is not None
    assert (failure.http_status, failure.message) == (502, "no memory left")
    assert (text(read.items[0]), read.items[0]["status"]) == ("Hel", "incomplete")


@every_dialect
def test_log_probabilities_are_told_with_their_delta_and_with_the_whole(dialect: Dialect) -> None:
    read = Read(streamed(says("Hel", "lo"), dialect, logprobs=True))
    told = [event["logprobs"] for event in read.events if event["type"].endswith("text.delta")]
    assert [[each["token"] for each in of_delta] for of_delta in told] == [["Hel"], ["lo"]]
    (part,) = read.items[0]["content"]
    assert [each["token"] for each in part["logprobs"]] == ["Hel", "lo"]
    assert set(part["logprobs"][0]) == {"token", "logprob", "bytes", "top_logprobs"}


@pytest.mark.parametrize(
    "pieces",
    [
        [chunk({"content": "Hel"})],
        [call('{"a"', "add", index=0), DONE],
        [call("", "add", index=0), DONE],
        [chunk({"content": "Hel"}), call('{"a"', "add", index=0), DONE],
    ],
    ids=["no end", "a call is cut", "a call has not begun", "a call is cut behind words"],
)
def test_a_stream_without_a_reason_to_end_is_a_failure(pieces: list[bytes]) -> None:
    read = Read(pieces)
    assert read.outcome.failure is not None
    assert read.outcome.failure.code == "backend_stream_broken"
    assert read.items[-1]["status"] == "incomplete"


@pytest.mark.parametrize("end", [[], [DONE], [b'{"choices":[],"usage":{"prompt_tokens":1}}']])
def test_a_stream_may_end_in_any_way_once_it_said_why(end: list[bytes]) -> None:
    assert Read([chunk({"content": "Hi"}), STOP, *end]).outcome.status == "completed"


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("stop", "completed"),
        ("tool_calls", "completed"),
        ("eos_token", "completed"),
        ("length", "incomplete"),
        ("model_length", "incomplete"),
        ("abort", "failed"),
        ("error", "failed"),
    ],
)
def test_a_reason_to_end_means_this(reason: str, status: str) -> None:
    assert Read([chunk({"content": "Hi"}, reason)]).outcome.status == status


def test_usage_that_comes_with_every_chunk_is_that_of_the_last() -> None:
    first, last = (
        {"usage": {"prompt_tokens": 9, "completion_tokens": count}, "choices": [choice]}
        for count, choice in [
            (1, {"delta": {"content": "Hel"}}),
            (2, {"delta": {"content": "lo"}, "finish_reason": "stop"}),
        ]
    )
    read = Read([orjson.dumps(first), orjson.dumps(last)])
    assert (text(read.items[0]), read.outcome.usage) == ("Hello", Counted(9, 2))


def test_a_whole_message_in_place_of_deltas_is_read() -> None:
    message = {
        "role": "assistant",
        "content": "Hi",
        "tool_calls": [
            {"id": "a", "function": {"name": "add", "arguments": "{}"}},
            {"id": "b", "function": {"name": "sub", "arguments": {"b": 2}}},
        ],
    }
    told = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": None}
    read = Read([orjson.dumps(told)])
    assert (text(read.items[0]), read.calls) == ("Hi", [("add", "{}"), ("sub", '{"b":2}')])


def test_arguments_that_are_an_object_may_hold_any_number() -> None:
    big = b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":%b}}]}}]}'
    assert Read([big % b'{"n":1%b}' % (b"0" * 30), STOP]).calls == [("f", '{"n":1%s}' % ("0" * 30))]


def test_a_message_that_repeats_what_was_streamed_is_not_told_again() -> None:
    last = chunk(None, "stop", message={"content": "Hi"})
    assert Read([chunk({"content": "Hi"}), last]).deltas == ["Hi"]


def test_thoughts_that_come_under_two_names_are_told_once() -> None:
    both = chunk({"reasoning": "hm", "reasoning_content": "hm"})
    assert Read([both, STOP]).deltas == ["hm"]


def test_content_in_parts_is_read_as_thoughts_and_words() -> None:
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    words = [{"type": "text", "text": "Hi"}]
    read = Read([chunk({"content": thinking}), chunk({"content": words}), STOP])
    assert [(item["type"], text(item)) for item in read.items] == [
        ("reasoning", "hm"),
        ("message", "Hi"),
    ]


CALLS: dict[str, list[bytes]] = {
    "ids and the same index": [
        call("{", "add", index=0, id="a"),
        call("}", index=0),
        call("[]", "sub", index=0, id="b"),
    ],
    "ids in every piece": [
        call("{", "add", index=0, id="a"),
        call("}", index=0, id="a"),
        call("[]", "sub", index=1, id="b"),
    ],
    "names in every piece": [
        call("{", "add", index=0, id="a"),
        call("}", "add", index=0),
        call("[]", "sub", index=1, id="b"),
    ],
    "no index": [call("{", "add", id="a"), call("}", id="a"), call("[]", "sub", id="b")],
    "neither index nor id": [call("{", "add"), call("}"), call("[]", "sub")],
    "the name after the arguments": [
        call("{", index=0, id="a"),
        call("}", "add", index=0),
        call("[]", "sub", index=1, id="b"),
    ],
    "an id after the name": [
        call("{", "add", index=0),
        call("}", index=0, id="a"),
        call("[]", "sub", index=1),
    ],
}


@pytest.mark.parametrize("pieces", CALLS.values(), ids=list(CALLS))
def test_the_pieces_of_calls_are_put_together(pieces: list[bytes]) -> None:
    assert Read([*pieces, STOP]).calls == [("add", "{}"), ("sub", "[]")]


def test_a_call_without_arguments_has_empty_ones() -> None:
    assert Read([call("", "now", index=0, id="a"), STOP]).calls == [("now", "{}")]


def test_a_call_that_was_cut_is_incomplete() -> None:
    read = Read([call('{"a', "add", index=0, id="a"), chunk({}, "length")])
    assert (read.calls, read.items[0]["status"]) == ([("add", '{"a')], "incomplete")


def test_words_between_calls_keep_their_place() -> None:
    read = Read(
        [call("{}", "add", index=0), chunk({"content": "Hi"}), call("[]", "sub", index=1), STOP]
    )
    assert read.kinds == ["function_call", "message", "function_call"]


CUSTOM = client_tools({"tools": [{"type": "custom", "name": "patch"}]})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (['{"inp', 'ut":"a\\nb"}'], "a\nb"),
        (["a\n", "b"], "a\nb"),
        (['{"other":1}'], '{"other":1}'),
        (['{"input":1}'], '{"input":1}'),
    ],
)
def test_a_function_that_stands_for_a_custom_tool_is_told_as_its_call(
    arguments: list[str], told: str
) -> None:
    first, *rest = arguments
    pieces = [call(first, "patch", index=0, id="a"), *(call(each, index=0) for each in rest)]
    read = Read([chunk({"content": "Hi"}), *pieces, chunk({"content": "Bye"}), STOP], CUSTOM)
    assert read.kinds == ["message", "custom_tool_call", "message"]
    assert (read.items[1]["name"], read.items[1]["input"]) == ("patch", told)
    assert "response.custom_tool_call_input.delta" in {event["type"] for event in read.events}


@pytest.mark.parametrize(
    "pieces",
    [
        [call("{}", "add", index=0), call("[]", "sub", index=1), call("}", index=0)],
        [call("{}", "add", index=0), chunk({"content": "Hi"}), call("}", index=0)],
        [call("{}", index=0), STOP],
        [b"ping"],
        [b"[]"],
        [b'{"choices":5}'],
    ],
    ids=["of an ended call", "after words", "no name", "no JSON", "a list", "odd choices"],
)
def test_pieces_that_belong_nowhere_make_no_sense(pieces: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"ended|without|not a chunk"):
        Read(pieces)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":[{}]}',
        chunk({}),
        chunk({"content": None, "role": "assistant"}),
        chunk({"content": "", "tool_calls": None}),
        chunk({"content": 5}),
    ],
)
def test_a_chunk_that_says_nothing_changes_nothing(data: bytes) -> None:
    assert Read([data, chunk({"content": "Hi"}), data, STOP]).deltas == ["Hi"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"error":{"message":"no memory left","code":500}}', "no memory left"),
        (b'{"error":"no memory left"}', "no memory left"),
        (b'{"object":"error","message":"no memory left","code":400}', "no memory left"),
    ],
)
def test_an_error_in_any_shape_keeps_its_words(data: bytes, message: str) -> None:
    failure = Read([data]).outcome.failure
    assert failure is not None
    assert failure.message == message


def test_the_tier_that_the_backend_chose_is_echoed() -> None:
    told: JSON = {"service_tier": "flex", "choices": [{"delta": {}, "finish_reason": "stop"}]}
    assert Read([orjson.dumps(told)]).outcome.fields == {"service_tier": "flex"}


def test_what_comes_after_the_end_is_not_read() -> None:
    read = Read([chunk({"content": "Hi"}), STOP, DONE, chunk({"content": "more"})])
    assert read.deltas == ["Hi"]
