"""Nothing of a backend's shape is trusted: what it leaves out is inferred, nonsense is refused."""

from typing import Any

import pytest

from turnwire_contracts.events import Item, TurnUsage
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_orchestrator.inference.ending import read_usage
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_orchestrator.prompting.client_tools import client_tools
from turnwire_testing.examples import RESPONSE_ID
from turnwire_testing.samples import data_of

END: JSON = {"type": "response.completed", "response": {"status": "completed"}}
MESSAGE: JSON = {"type": "message", "id": "m1", "role": "assistant", "content": []}
CALL: JSON = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "add", "arguments": ""}


def added(item: Item) -> JSON:
    """An item begins."""
    return {"type": "response.output_item.added", "output_index": 0, "item": item}


def done(item: Item) -> JSON:
    """An item ends."""
    return {"type": "response.output_item.done", "output_index": 0, "item": item}


def said(text: str, item_id: str = "m1") -> JSON:
    """A piece of text."""
    return {"type": "response.output_text.delta", "item_id": item_id, "delta": text}


def argued(text: str, item_id: str = "f1") -> JSON:
    """A piece of arguments."""
    return {"type": "response.function_call_arguments.delta", "item_id": item_id, "delta": text}


def output_text(text: str) -> JSON:
    """A finished part."""
    return {"type": "output_text", "text": text, "annotations": []}


def read(*events: JSON, limit: int | None = None) -> tuple[SampleOutcome, list[Item]]:
    """Read a sample to its end."""
    assembler = Assembler(RESPONSE_ID, FrameWriter())
    reader = Reader(assembler, limit)
    for data in data_of(events):
        reader.take(data)
    return reader.end(), assembler.items


def texts(items: list[Item]) -> list[str]:
    """Give the text of every part of every item."""
    return [part["text"] for item in items for part in item.get("content", [])]


def test_a_delta_without_any_opening_opens_what_it_needs() -> None:
    _, items = read(said("Hi", ""), END)
    assert [item["type"] for item in items] == ["message"]
    assert texts(items) == ["Hi"]


def test_thoughts_without_parts_are_read_as_vllm_streams_them() -> None:
    thought = {"type": "response.reasoning_text.delta", "item_id": "r1", "delta": "hm"}
    _, items = read(added({"type": "reasoning", "id": "r1"}), thought, END)
    assert items[0]["content"] == [{"type": "reasoning_text", "text": "hm"}]


@pytest.mark.parametrize("kind", ["response.reasoning.delta", "response.reasoning_text.delta"])
def test_raw_thoughts_are_known_by_both_names(kind: str) -> None:
    _, items = read({"type": kind, "item_id": "", "delta": "hm"}, END)
    assert items[0]["type"] == "reasoning"
    assert texts(items) == ["hm"]


def test_items_that_come_only_with_the_end_are_told_then() -> None:
    output = [{**MESSAGE, "content": [output_text("Hi")]}, {**CALL, "arguments": "{}"}]
    outcome, items = read(
        {"type": "response.completed", "response": {"status": "completed", "output": output}}
    )
    assert outcome.status == "completed"
    assert [item["type"] for item in items] == ["message", "function_call"]
    assert texts(items) == ["Hi"]


def test_items_that_were_streamed_are_not_told_again_at_the_end() -> None:
    output = [{**MESSAGE, "content": [output_text("Hi")]}]
    _, items = read(
        added(MESSAGE),
        said("Hi"),
        {"type": "response.completed", "response": {"status": "completed", "output": output}},
    )
    assert texts(items) == ["Hi"]


def test_an_item_that_comes_only_when_it_is_done_is_told_as_a_whole() -> None:
    search: JSON = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    _, items = read(added(search), done(search), END)
    assert [(item["type"], item["status"]) for item in items] == [("web_search_call", "completed")]


def test_a_message_without_deltas_is_read_from_its_end() -> None:
    _, items = read(added(MESSAGE), done({**MESSAGE, "content": [output_text("Hi")]}), END)
    assert texts(items) == ["Hi"]


def test_arguments_without_deltas_are_read_from_the_end_of_the_call() -> None:
    _, items = read(added(CALL), done({**CALL, "arguments": '{"a":1}'}), END)
    assert items[0]["arguments"] == '{"a":1}'


def test_a_part_without_deltas_is_read_from_its_end() -> None:
    part = {"item_id": "m1", "content_index": 0}
    _, items = read(
        added(MESSAGE),
        {"type": "response.content_part.added", **part, "part": output_text("")},
        {"type": "response.content_part.done", **part, "part": output_text("Hi")},
        done({**MESSAGE, "content": [output_text("Hi")]}),
        END,
    )
    assert texts(items) == ["Hi"]


def test_a_new_item_ends_the_one_before_it() -> None:
    _, items = read(added(MESSAGE), said("Hi"), added(CALL), argued("{}"), END)
    assert [item["status"] for item in items] == ["completed", "completed"]
    assert [item["type"] for item in items] == ["message", "function_call"]


def test_ends_that_come_late_and_together_change_nothing() -> None:
    other: JSON = {**CALL, "id": "f2"}
    _, items = read(
        added(MESSAGE),
        said("Hi"),
        added(CALL),
        argued("{"),
        argued("}"),
        added(other),
        argued("[]", "f2"),
        {"type": "response.content_part.done", "item_id": "m1", "part": output_text("Hi")},
        done({**MESSAGE, "content": [output_text("Hi")]}),
        done({**CALL, "arguments": "{}"}),
        done({**other, "arguments": "[]"}),
        END,
    )
    assert texts(items) == ["Hi"]
    assert [item.get("arguments") for item in items] == [None, "{}", "[]"]


def test_a_note_on_one_text_does_not_stand_on_the_next() -> None:
    note = {"type": "response.output_text.annotation.added", "annotation": {"type": "file_path"}}
    part = {"type": "response.content_part.done", "item_id": "m2", "part": output_text("two")}
    _, items = read(
        added(MESSAGE), said("one"), note, added({**MESSAGE, "id": "m2"}), said("two", "m2"), part
    )
    assert texts(items) == ["one", "two"]
    assert items[1]["content"][0]["annotations"] == []


def read_custom(*events: JSON) -> list[Item]:
    """Read a sample in which the function `add` stands for a custom tool."""
    assembler = Assembler(RESPONSE_ID, FrameWriter())
    reader = Reader(assembler, None, client_tools({"tools": [{"type": "custom", "name": "add"}]}))
    for data in data_of(events):
        reader.take(data)
    reader.end()
    return assembler.items


@pytest.mark.parametrize(
    "call",
    [CALL, {**CALL, "id": None}, {**CALL, "id": None, "call_id": None}],
    ids=["an id", "a call id", "neither"],
)
def test_a_function_that_stands_for_a_custom_tool_is_told_as_its_call(call: JSON) -> None:
    item_id = call["id"] or call["call_id"] or ""
    items = read_custom(
        added(MESSAGE),
        said("Hi"),
        added(call),
        argued('{"input":', item_id),
        argued('"a\\nb"}', item_id),
        done({**call, "arguments": '{"input":"a\\nb"}'}),
        END,
    )
    assert [item["type"] for item in items] == ["message", "custom_tool_call"]
    assert (items[1]["name"], items[1]["input"]) == ("add", "a\nb")


def test_a_custom_call_that_comes_only_with_the_end_is_told_then() -> None:
    output = [{**CALL, "arguments": '{"input":"a"}'}]
    end = {"status": "completed", "output": output}
    (item,) = read_custom({"type": "response.completed", "response": end})
    assert (item["type"], item["input"]) == ("custom_tool_call", "a")


def test_log_probabilities_are_told_with_their_delta_and_with_the_whole() -> None:
    token: JSON = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    frames = FrameWriter()
    assembler = Assembler(RESPONSE_ID, frames)
    reader = Reader(assembler, None)
    for data in data_of([added(MESSAGE), {**said("Hi"), "logprobs": [token]}, END]):
        reader.take(data)
    events = [payload(frame) for frame in frames.take()[1]]
    assert [event["logprobs"] for event in events if "delta" in event] == [[token]]
    assert assembler.items[0]["content"][0]["logprobs"] == [token]


@pytest.mark.parametrize(
    "events",
    [
        (added(CALL), argued("{}"), added({**CALL, "id": "f2"}), argued("!", "f1")),
        (argued("{}"), END),
        (added(MESSAGE), argued("{}", "m1")),
    ],
    ids=["arguments of an ended call", "no call", "not a call"],
)
def test_text_that_belongs_to_no_open_item_makes_no_sense(events: tuple[JSON, ...]) -> None:
    with pytest.raises(ValueError, match=r"ended|without"):
        read(*events)


@pytest.mark.parametrize("data", [b"", b"ping", b"{", b"[]", b"1", b'{"type":5}'])
def test_what_is_no_event_makes_no_sense(data: bytes) -> None:
    reader = Reader(Assembler(RESPONSE_ID), None)
    with pytest.raises(ValueError, match="not an event"):
        reader.take(data)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.mystery"},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.delta", "delta": ["x"]},
        {"type": "response.output_text.delta", "delta": ""},
        {"type": "response.output_item.added"},
        {"type": "response.output_item.done", "item": None},
        {"type": "response.content_part.added", "part": None},
        {"type": "response.output_text.annotation.added"},
        {},
    ],
)
def test_an_event_that_says_nothing_changes_no_text(event: JSON) -> None:
    outcome, items = read(added(MESSAGE), said("Hi"), event, END)
    assert outcome.status == "completed"
    assert texts(items) == ["Hi"]


def test_a_stream_without_an_end_is_a_failure() -> None:
    outcome, items = read(added(MESSAGE), said("Hel"))
    assert outcome.failure is not None
    assert (outcome.status, outcome.failure.code) == ("failed", "backend_stream_broken")
    assert (texts(items), items[0]["status"]) == (["Hel"], "incomplete")


def test_what_comes_after_the_end_is_not_read() -> None:
    outcome, items = read(added(MESSAGE), said("Hi"), END, said("more"), {"type": "error"})
    assert outcome.status == "completed"
    assert texts(items) == ["Hi"]


def test_the_status_inside_beats_the_name_of_the_event() -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    outcome, items = read(added(MESSAGE), said("Hi"), {**END, "response": cut})
    assert (outcome.status, outcome.incomplete_reason) == ("incomplete", "content_filter")
    assert items[0]["status"] == "incomplete"


def test_a_failed_status_fails_whatever_the_event_is_called() -> None:
    broken = {"status": "failed", "error": {"code": "server_error", "message": "no memory left"}}
    outcome, _ = read({**END, "response": broken})
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.message) == ("server_error", "no memory left")


@pytest.mark.parametrize(
    ("tokens", "limit", "status"),
    [(10, 10, "incomplete"), (11, 10, "incomplete"), (9, 10, "completed"), (10, None, "completed")],
)
def test_an_answer_that_used_up_its_limit_was_cut(
    tokens: int, limit: int | None, status: str
) -> None:
    ended = {"status": "completed", "usage": {"input_tokens": 1, "output_tokens": tokens}}
    outcome, _ = read(said("Hi"), {**END, "response": ended}, limit=limit)
    assert outcome.status == status


def test_the_tier_that_the_backend_chose_is_echoed() -> None:
    outcome, _ = read({**END, "response": {"status": "completed", "service_tier": "flex"}})
    assert outcome.fields == {"service_tier": "flex"}


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 3, "completion_tokens": 4}, TurnUsage(3, 4)),
        ({"input_tokens": 3, "output_tokens": 4, "input_tokens_details": None}, TurnUsage(3, 4)),
        (
            {
                "input_tokens": 3,
                "output_tokens": 4,
                "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2},
                "output_tokens_details": {"reasoning_tokens": 5},
            },
            TurnUsage(3, 4, 1, 2, 5),
        ),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            TurnUsage(3, 4, 1, 0, 2),
        ),
    ],
)
def test_tokens_are_counted_in_either_vocabulary(
    usage: JSON | None, counted: TurnUsage | None
) -> None:
    assert read_usage(usage) == counted


def test_live_frames_show_each_delta_as_it_came() -> None:
    frames = FrameWriter()
    reader = Reader(Assembler(RESPONSE_ID, frames), None)
    shown: list[Any] = []
    for data in data_of([added(MESSAGE), said("Hel"), said("lo")]):
        reader.take(data)
        shown.append([payload(frame).get("delta") for frame in frames.take()[1]])
    assert shown == [[None], [None, "Hel"], ["lo"]]
