"""Habits of chat servers: calls in turns, whole, or under one id; words in the middle of a call."""

from typing import Any

import msgspec
import pytest

from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_testing.read_samples import Live


def chunk(delta: JSON | None, finish: str | None = None, **more: Any) -> JSON:
    """One chunk."""
    return {"choices": [{"delta": delta, "finish_reason": finish, **more}]}


def pieces(*calls: JSON) -> JSON:
    """A chunk with pieces of calls."""
    return chunk({"tool_calls": [*calls]})


def piece(arguments: object = None, name: str | None = None, **more: Any) -> JSON:
    """A piece of a call."""
    return {"function": {"name": name, "arguments": arguments}, **more}


STOP = chunk({}, "tool_calls")
ONE, TWO = '{"n":1}', '{"n":2}'

TWO_CALLS: dict[str, list[JSON]] = {
    "in turns": [
        pieces(piece('{"n"', "f", index=0, id="a")),
        pieces(piece('{"n"', "f", index=1, id="b")),
        pieces(piece(":1}", index=0)),
        pieces(piece(":2}", index=1)),
    ],
    "one inside the other": [
        pieces(piece('{"n"', "f", index=0, id="a")),
        pieces(piece(TWO, "f", index=1, id="b")),
        pieces(piece(":1}", index=0)),
    ],
    "both names first": [
        pieces(piece("", "f", index=0, id="a"), piece("", "f", index=1, id="b")),
        pieces(piece(TWO, index=1)),
        pieces(piece(ONE, index=0)),
    ],
    "indices as texts": [
        pieces(piece('{"n"', "f", index="0")),
        pieces(piece('{"n"', "f", index="1")),
        pieces(piece(":2}", index="1")),
        pieces(piece(":1}", index="0")),
    ],
    "one id": [
        pieces(piece(ONE, "f", index=0, id="call_0")),
        pieces(piece(TWO, "f", index=1, id="call_0")),
    ],
    "one id, in pieces": [
        pieces(piece('{"n"', "f", index=0, id="call_0")),
        pieces(piece(":1}", index=0)),
        pieces(piece('{"n"', "f", index=1, id="call_0")),
        pieces(piece(":2}", index=1)),
    ],
    "one id, in turns": [
        pieces(piece("", "f", index=0, id="x"), piece("", "f", index=1, id="x")),
        pieces(piece('{"n":1', index=0, id="x"), piece('{"n":2', index=1, id="x")),
        pieces(piece("}", index=0, id="x"), piece("}", index=1, id="x")),
    ],
    "one index": [
        pieces(piece(ONE, "f", index=0, id="a"), piece(TWO, "f", index=0, id="b")),
    ],
    "one index, in turns": [
        pieces(piece('{"n":', "f", index=0, id="a"), piece('{"n":', "f", index=0, id="b")),
        pieces(piece("1}", index=0, id="a"), piece("2}", index=0, id="b")),
    ],
    "one index, no ids": [pieces(piece(ONE, "f", index=0), piece(TWO, "f", index=0))],
    "one index, one id": [
        pieces(piece(ONE, "f", index=0, id="x"), piece(TWO, "f", index=0, id="x")),
    ],
    "one id, no index": [pieces(piece(ONE, "f", id="x"), piece(TWO, "f", id="x"))],
    "nothing but names": [pieces(piece(ONE, "f"), piece(TWO, "f"))],
    "objects": [pieces(piece({"n": 1}, "f"), piece({"n": 2}, "f"))],
    "a message in place of deltas": [
        {"choices": [{"message": {"tool_calls": [piece({"n": 1}, "f"), piece({"n": 2}, "f")]}}]}
    ],
    "a message after deltas": [
        chunk({"content": ""}),
        {"choices": [{"message": {"tool_calls": [piece(ONE, "f"), piece(TWO, "f")]}}]},
    ],
    "line breaks between the pieces": [
        pieces(piece('{"n"', "f", index=0)),
        chunk({"content": "\n"}),
        pieces(piece(":1}", index=0)),
        chunk({"content": "\n\n"}),
        pieces(piece(TWO, "f", index=1)),
        chunk({"content": "\n"}),
    ],
    "told once more": [
        pieces(piece(ONE, "f", index=0, id="a")),
        pieces(piece(TWO, "f", index=1, id="b")),
        pieces(piece(TWO, "f", index=1, id="b")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("chunks", TWO_CALLS.values(), ids=list(TWO_CALLS))
def test_two_calls_are_two_items_told_one_after_the_other(chunks: list[JSON]) -> None:
    live = Live([*chunks, STOP], ChatReader)
    calls = [("function_call", ONE, "completed"), ("function_call", TWO, "completed")]
    assert live.told == calls
    assert len({item["call_id"] for item in live.items}) == 2
    indices = [event["output_index"] for event in live.events if "output_index" in event]
    assert indices == sorted(indices)
    live.check()


@pytest.mark.parametrize("name", ["f", "g"])
def test_calls_without_arguments_have_empty_ones_each(name: str) -> None:
    live = Live([pieces(piece("", "f"), piece("", name)), STOP], ChatReader)
    assert live.told == [("function_call", "{}", "completed")] * 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [({"content": "Hi"}, "message"), ({"reasoning_content": "Hi"}, "reasoning")],
)
def test_words_in_the_middle_of_a_call_are_told_behind_it(said: JSON, kind: str) -> None:
    first = pieces(piece('{"n"', "f", index=0))
    (name,) = said
    more = chunk({name: " there"})
    live = Live([first, chunk(said), pieces(piece(":1}", index=0)), more, STOP], ChatReader)
    assert live.told == [("function_call", ONE, "completed"), (kind, "Hi there", "completed")]
    live.check()


def test_line_breaks_before_words_stay() -> None:
    words = [chunk({"content": "\n"}), chunk({"content": "Hi"})]
    assert Live([pieces(piece(ONE, "f")), *words, STOP], ChatReader).told[1][1] == "\nHi"


@pytest.mark.parametrize("end", [[], [chunk({}, "length")], [chunk({}, "error")]])
@pytest.mark.parametrize("arguments", ["", '{"n"', ONE])
def test_no_call_of_an_answer_that_broke_off_is_completed(end: list[JSON], arguments: str) -> None:
    waiting = pieces(piece(TWO, "g", index=1), piece("", "h", index=2))
    live = Live([pieces(piece(arguments, "f", index=0)), waiting, *end], ChatReader)
    texts = [(text, status) for _, text, status in live.told]
    assert texts[0] == (arguments, "completed" if arguments == ONE else "incomplete")
    assert texts[-1] == ("", "incomplete")
    live.check()


def test_a_call_is_shown_live_and_what_follows_it_as_soon_as_it_is_whole() -> None:
    shown: list[list[str]] = []
    live = Live([], ChatReader)
    assembler = Assembler(live.turn.request.response_id, live.writer)
    reader = ChatReader(assembler)
    for each in (
        pieces(piece('{"n"', "f", index=0)),
        pieces(piece('{"n"', "f", index=1)),
        pieces(piece(":1}", index=0)),
        pieces(piece(":2}", index=1)),
    ):
        reader.take(msgspec.json.encode(each))
        frames = [payload(frame) for frame in live.writer.take()[1]]
        shown.append([frame["delta"] for frame in frames if "delta" in frame])
    assert shown == [['{"n"'], [], [":1}"], ['{"n"', ":2}"]]


def test_a_whole_message_tells_what_its_deltas_did_not() -> None:
    last = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    live = Live([chunk({"content": "hel"}), last], ChatReader)
    assert live.deltas == ["hel", "lo"]
