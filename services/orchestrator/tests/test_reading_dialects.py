"""The same answer in every dialect is read as the same items and told in the same frames."""

from typing import Any

import pytest

from scripted_backend import Dialect, Reply, Usage, calls, refuses, says, thinks
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_testing.examples import RESPONSE_ID
from turnwire_testing.samples import events_of

DIALECTS: list[Dialect] = ["openai", "llamacpp", "vllm", "ollama", "sglang"]
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


class Read:
    """A sample that was read to its end."""

    def __init__(self, reply: Reply, dialect: Dialect, limit: int | None = None) -> None:
        """Read a reply as a backend of that dialect streams it."""
        frames = FrameWriter()
        assembler = Assembler(RESPONSE_ID, frames)
        reader = Reader(assembler, limit)
        for data in events_of(reply, dialect):
            reader.take(data)
        self.outcome: SampleOutcome = reader.end()
        self.items = assembler.items
        self.events = [payload(frame) for frame in frames.take()[1]]

    @property
    def deltas(self) -> list[str]:
        """Every delta that clients see."""
        return [event["delta"] for event in self.events if event["type"].endswith(".delta")]

    @property
    def kinds(self) -> list[str]:
        """The types of the items."""
        return [item["type"] for item in self.items]

    def text(self, index: int) -> str:
        """The text of the only part of an item."""
        (part,) = self.items[index]["content"]
        return part["text"]


@every_dialect
def test_a_message_is_read_delta_by_delta(dialect: Dialect) -> None:
    read = Read(says("Hel", "lo", " 👋"), dialect)
    assert read.deltas == ["Hel", "lo", " 👋"]
    assert read.text(0) == "Hello 👋"
    assert read.items[0]["status"] == "completed"
    assert read.outcome.status == "completed"


@every_dialect
def test_what_a_model_thinks_and_says_and_calls_is_read_in_order(dialect: Dialect) -> None:
    read = Read(thinks("h", "m") + says("Hi") + calls("add", {"a": 1}), dialect)
    assert read.kinds == ["reasoning", "message", "function_call"]
    thought: list[JSON] = read.items[0].get("content") or read.items[0]["summary"]
    assert [part["text"] for part in thought] == ["hm"]
    assert read.text(1) == "Hi"
    call = read.items[2]
    assert (call["name"], call["arguments"]) == ("add", '{"a":1}')


@every_dialect
def test_parallel_calls_are_two_items_with_ids_of_their_own(dialect: Dialect) -> None:
    read = Read(calls("add", {"a": 1}) + calls("sub", {"b": 2}), dialect)
    assert [(call["name"], call["arguments"]) for call in read.items] == [
        ("add", '{"a":1}'),
        ("sub", '{"b":2}'),
    ]
    assert len({call["call_id"] for call in read.items}) == 2
    assert all(call["call_id"].startswith("call_") for call in read.items)


@every_dialect
def test_items_that_follow_one_another_keep_their_own_text(dialect: Dialect) -> None:
    read = Read(says("one") + calls("add", {"a": 1}) + says("two"), dialect)
    assert read.kinds == ["message", "function_call", "message"]
    assert [read.text(0), read.text(2)] == ["one", "two"]


@every_dialect
def test_a_refusal_stays_a_refusal(dialect: Dialect) -> None:
    read = Read(refuses("I ", "will not."), dialect)
    (part,) = read.items[0]["content"]
    assert part == {"type": "refusal", "refusal": "I will not."}


@every_dialect
def test_nothing_of_the_backends_naming_reaches_the_client(dialect: Dialect) -> None:
    reply = thinks("hm") + says("Hi") + calls("add", {"a": 1}, call_id="call_theirs")
    theirs = str(events_of(reply, dialect))
    read = Read(reply, dialect)
    for item in read.items:
        assert RESPONSE_ID.removeprefix("resp_") in item["id"]
        assert item["id"] not in theirs
    assert "call_theirs" not in str(read.events)


@every_dialect
def test_the_cost_is_read_in_the_words_of_the_dialect(dialect: Dialect) -> None:
    usage = Read(says("Hi").using(Usage(9, 5, cached_tokens=4)), dialect).outcome.usage
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (9, 5, 4)


@every_dialect
def test_an_answer_that_was_cut_is_incomplete_even_where_the_backend_hides_it(
    dialect: Dialect,
) -> None:
    reply = says("Hel", "lo").using(Usage(9, 2)).incomplete()
    read = Read(reply, dialect, limit=2)
    assert read.outcome.status == "incomplete"
    assert read.outcome.incomplete_reason == "max_output_tokens"


@pytest.mark.parametrize("dialect", ["openai", "vllm"])
def test_the_item_that_was_cut_is_incomplete(dialect: Dialect) -> None:
    assert Read(says("Hel").incomplete(), dialect).items[0]["status"] == "incomplete"


@every_dialect
@pytest.mark.parametrize("shape", ["response.failed", "error", "bare"])
def test_an_error_in_mid_stream_fails_and_keeps_what_was_said(dialect: Dialect, shape: Any) -> None:
    read = Read(says("Hel", "lo").broken(1, by=shape, message="no memory left"), dialect)
    assert read.outcome.status == "failed"
    failure = read.outcome.failure
    assert failure is not None
    assert (failure.http_status, failure.message) == (502, "no memory left")
    assert read.text(0) == "Hel"
    assert read.items[0]["status"] == "incomplete"


@every_dialect
def test_an_error_after_the_last_word_is_a_failure_still(dialect: Dialect) -> None:
    assert Read(says("Hello").broken(), dialect).outcome.status == "failed"


def test_annotations_are_told_before_the_text_is_done() -> None:
    note = {"type": "url_citation", "url": "https://x", "title": "x", "start_index": 0}
    read = Read(says("Hi", annotations=[note]), "openai")
    (part,) = read.items[0]["content"]
    assert part["annotations"] == [note]
    kinds = [event["type"].removeprefix("response.") for event in read.events]
    assert kinds.index("output_text.annotation.added") < kinds.index("output_text.done")
    assert kinds.count("output_text.annotation.added") == 1


def test_what_the_end_of_a_thought_tells_is_kept() -> None:
    read = Read(thinks("hm", encrypted_content="sealed"), "openai")
    assert read.items[0]["encrypted_content"] == "sealed"


def test_a_summary_and_a_raw_thought_stand_in_their_own_lists() -> None:
    read = Read(thinks("h", "m", summary=["in ", "short"]), "openai")
    assert read.items[0]["summary"] == [{"type": "summary_text", "text": "in short"}]
    assert read.items[0]["content"] == [{"type": "reasoning_text", "text": "hm"}]
