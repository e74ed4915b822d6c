"""Text that is not Unicode: halves are joined, what cannot be is U+FFFD, and no turn dies of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_repair import joined, mended
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_orchestrator.ports import StreamReader
from turnwire_testing.read_samples import Live, responses_reader

ReaderOf = Callable[[Assembler], StreamReader]


class Api:
    """How one API says the same."""

    def __init__(self, reader_of: ReaderOf, end: Any, **deltas: Callable[[str], Any]) -> None:
        """`deltas`: by kind of text, the event of one delta."""
        self.reader_of, self.end, self.deltas = reader_of, end, deltas

    def read(self, kind: str, *texts: str) -> Live:
        """Read deltas of a kind."""
        begin = [self.deltas["begin_call"]("")] if kind == "arguments" else []
        events = [*begin, *(self.deltas[kind](text) for text in texts), self.end]
        return Live([json.dumps(event).encode() for event in events], self.reader_of)


def _delta(kind: str) -> Callable[[str], Any]:
    return lambda text: {"type": f"response.{kind}.delta", "item_id": "i", "delta": text}


def _chunk(name: str) -> Callable[[str], Any]:
    return lambda text: {"choices": [{"delta": {name: text}}]}


def _call(text: str) -> Any:
    call = {"index": 0, "function": {"arguments": text}}
    return {"choices": [{"delta": {"tool_calls": [call]}}]}


RESPONSES = Api(
    responses_reader,
    {"type": "response.completed", "response": {"status": "completed"}},
    words=_delta("output_text"),
    thoughts=_delta("reasoning_text"),
    summary=_delta("reasoning_summary_text"),
    refusal=_delta("refusal"),
    arguments=_delta("function_call_arguments"),
    begin_call=lambda _: {
        "type": "response.output_item.added",
        "item": {"type": "function_call", "id": "i", "name": "f"},
    },
)
CHAT = Api(
    ChatReader,
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    words=_chunk("content"),
    thoughts=_chunk("reasoning"),
    summary=_chunk("reasoning_content"),
    refusal=_chunk("refusal"),
    arguments=_call,
    begin_call=lambda _: {
        "choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]
    },
)
either = pytest.mark.parametrize("api", [RESPONSES, CHAT], ids=["responses", "chat"])
every_text = pytest.mark.parametrize(
    "kind", ["words", "thoughts", "summary", "refusal", "arguments"]
)


@either
@every_text
@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["A\ud83d", "\ude00B"], ["A", "😀B"]),
        (["\ud83d", "\ude00", "x"], ["😀", "x"]),
        (["A\ud83d", "B", "C"], ["A", "\ufffdB", "C"]),
        (["A\ud83d", "\ud83d\ude00"], ["A", "\ufffd😀"]),
        (["A\ud83d"], ["A", "\ufffd"]),
        (["A\ude00B", "C"], ["A\ufffdB", "C"]),
        (["A", "\ude00"], ["A", "\ufffd"]),
        (["\ud83d\ud83dB"], ["\ufffd\ufffdB"]),
    ],
)
def test_halves_are_joined_or_replaced(
    api: Api, kind: str, texts: list[str], told: list[str]
) -> None:
    live = api.read(kind, *texts)
    assert live.deltas == told
    assert live.told[0][1] == "".join(told)
    live.check()


@either
@given(st.lists(st.text(max_size=4), max_size=6))
def test_wherever_a_text_is_cut_it_is_whole_again(api: Api, texts: list[str]) -> None:
    told = mended("".join(texts))
    units = told.encode("utf-16-le")
    halves = [
        units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)
    ]
    live = api.read("words", *halves)
    assert "".join(live.deltas) == told
    live.check()


@either
def test_bytes_that_are_no_text_are_replaced(api: Api) -> None:
    events = [json.dumps(api.deltas["words"](text)).encode() for text in ("Hel?", "lo")]
    end = json.dumps(api.end).encode()
    live = Live([events[0].replace(b"?", b"\xff"), events[1], end], api.reader_of)
    assert live.deltas == ["Hel\ufffd", "lo"]


def test_names_and_whole_items_are_mended() -> None:
    item = {"type": "function_call", "name": "f\ud83d", "arguments": '{"a":"\ude00"}'}
    done = {"type": "response.output_item.done", "item": item}
    live = Live([json.dumps(each).encode() for each in (done, RESPONSES.end)])
    assert live.items[0]["name"] == "f\ufffd"
    assert live.items[0]["arguments"] == '{"a":"\ufffd"}'
    call = {"index": 0, "function": {"name": "f\ud83d", "arguments": "{}"}}
    chunk = {"choices": [{"delta": {"tool_calls": [call]}}]}
    live = Live([json.dumps(each).encode() for each in (chunk, CHAT.end)], ChatReader)
    assert live.items[0]["name"] == "f\ufffd"


def test_a_whole_answer_knows_better_than_half_a_character() -> None:
    content = [{"type": "output_text", "text": "A😀B"}]
    output = [{"type": "message", "content": content}]
    end = {"type": "response.completed", "response": {"status": "completed", "output": output}}
    live = Live([json.dumps(each).encode() for each in (RESPONSES.deltas["words"]("A\ud83d"), end)])
    assert live.deltas == ["A", "😀B"]


def test_broken_text_outside_of_what_is_read_costs_nothing() -> None:
    event = json.dumps({**RESPONSES.deltas["words"]("Hi"), "other": "\ud83d"}).encode()
    assert Live([event, json.dumps(RESPONSES.end).encode()]).deltas == ["Hi"]


@given(st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE0FF, categories=None)))
def test_what_is_joined_is_unicode(text: str) -> None:
    whole, half = joined(text)
    whole.encode()
    assert len(half) <= 1
