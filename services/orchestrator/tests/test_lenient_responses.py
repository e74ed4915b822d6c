"""Habits of Responses servers: what they say twice, late, elsewhere or in another shape is read."""

import pytest

from turnwire_contracts.json_values import JSON
from turnwire_testing.read_samples import Live

DONE = "completed"
END: JSON = {"type": "response.completed", "response": {"status": "completed"}}
PLACE: JSON = {"item_id": "m", "output_index": 0}
CALLED: JSON = {"item_id": "c"}


def message(text: str, item_id: str | None = "m") -> JSON:
    """A finished message."""
    content: list[JSON] = [{"type": "output_text", "text": text, "annotations": []}]
    told: JSON = {"type": "message", "role": "assistant", "content": content, "status": DONE}
    return told if item_id is None else told | {"id": item_id}


def call(arguments: object, item_id: str = "c") -> JSON:
    """A call, finished or not."""
    return {"type": "function_call", "name": "f", "id": item_id, "arguments": arguments}


def added(item: JSON, **more: object) -> JSON:
    """An item begins."""
    return {"type": "response.output_item.added", "item": item, **more}


def done(item: JSON, **more: object) -> JSON:
    """An item ends."""
    return {"type": "response.output_item.done", "item": item, **more}


def said(text: str, **more: object) -> JSON:
    """A piece of text."""
    return {"type": "response.output_text.delta", "delta": text, **more}


def argued(text: object, **more: object) -> JSON:
    """A piece of arguments."""
    return {"type": "response.function_call_arguments.delta", "delta": text, **more}


def text_done(text: str) -> JSON:
    """The end of a text."""
    return {"type": "response.output_text.done", "text": text, **PLACE}


def part_done(text: str) -> JSON:
    """The end of a part."""
    part: JSON = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "response.content_part.done", "part": part, **PLACE}


def arguments_done(arguments: object, **more: object) -> JSON:
    """The end of arguments."""
    kind = "response.function_call_arguments.done"
    return {"type": kind, "arguments": arguments, **CALLED, **more}


def whole(*items: JSON, kind: str | None = "response.completed") -> JSON:
    """The end, with the whole answer."""
    response = {"object": "response", "status": "completed", "output": [*items]}
    return response if kind is None else {"type": kind, "response": response}


BEGUN = (added({"type": "message", "id": "m"}, output_index=0), said("hel", **PLACE))
HELLO = [("message", "hello", DONE)]
CALL = [("function_call", '{"a":1}', DONE)]

FULLER: dict[str, tuple[JSON, ...]] = {
    "the end of the text": (*BEGUN, text_done("hello"), END),
    "the end of the text, not of the part": (
        *BEGUN,
        text_done("hello"),
        part_done("hel"),
        done(message("hel")),
        END,
    ),
    "the end of the part": (*BEGUN, text_done("hel"), part_done("hello"), END),
    "the end of the item": (*BEGUN, part_done("hel"), done(message("hello")), END),
    "the end of the answer": (*BEGUN, whole(message("hello"))),
    "the end of the answer, not of the item": (
        *BEGUN,
        done(message("hel")),
        whole(message("hello")),
    ),
    "the end of the answer, under another id": (*BEGUN, whole(message("hello", "other"))),
    "the end that is called done": (*BEGUN, whole(message("hello"), kind="response.done")),
}


@pytest.mark.parametrize("events", FULLER.values(), ids=list(FULLER))
def test_the_longest_text_wins_and_what_is_missing_is_a_delta(events: tuple[JSON, ...]) -> None:
    live = Live(events)
    assert live.told == HELLO
    assert live.deltas == ["hel", "lo"]
    live.check()


@pytest.mark.parametrize("other", ["jello!", "he", "Hel lo", ""])
def test_what_was_shown_is_not_taken_back(other: str) -> None:
    end = (text_done(other), part_done(other), done(message(other)), whole(message(other)))
    live = Live((*BEGUN, *end))
    assert live.told == [("message", "hel", DONE)]
    live.check()


ANSWERS: dict[str, tuple[JSON, ...]] = {
    "the answer itself": (whole(message("hello"), kind=None),),
    "in an event without a type": ({"response": whole(message("hello"), kind=None)},),
    "in the last event": (whole(message("hello")),),
    "nothing but the item": (done(message("hello")), END),
    "twice": (done(message("hello")), done(message("hello")), END),
    "twice, without ids": (done(message("hello", None)), done(message("hello", None)), END),
    "begun twice": (BEGUN[0], BEGUN[0], said("hello", **PLACE), END),
    "without ids": (
        added({"type": "message"}, output_index=0),
        said("hello", output_index=0),
        done(message("hello", None), output_index=0),
        END,
    ),
    "another id in each event": (
        added({"type": "message", "id": "1"}, output_index=0),
        said("hel", item_id="2", output_index=0),
        said("lo", item_id="3", output_index=0),
        done(message("hello", "4"), output_index=0),
        whole(message("hello", "5")),
    ),
    "another id in each event, no index": (
        added({"type": "message", "id": "1"}),
        said("hel", item_id="2"),
        said("lo", item_id="3"),
        done(message("hello", "4")),
        whole(message("hello", "5")),
    ),
    "nulls": (
        added({"type": "message", "id": None, "content": None}),
        {"type": "response.content_part.added", "part": None, "item_id": None},
        said("hello", item_id=None, output_index=None, logprobs=None),
        done({"type": "message", "id": None, "content": None, "status": None}),
        {**END, "response": {"status": "completed", "output": None, "error": None}},
    ),
    "words after the end": (
        *BEGUN,
        said("lo", **PLACE),
        done(message("hello")),
        said("!", **PLACE),
        END,
    ),
    "in two, in the whole": (
        *BEGUN,
        said("lo", **PLACE),
        whole(message("hel", "x"), message("lo", "y")),
    ),
}


@pytest.mark.parametrize("events", ANSWERS.values(), ids=list(ANSWERS))
def test_one_message_is_told_once(events: tuple[JSON, ...]) -> None:
    live = Live(events)
    assert live.told == HELLO
    live.check()


CALLS: dict[str, tuple[JSON, ...]] = {
    "an object": (done(call({"a": 1})), END),
    "an object in the whole answer": (whole(call({"a": 1})),),
    "an object at their end": (added(call({})), arguments_done({"a": 1}), done(call("")), END),
    "fuller at their end": (
        added(call("")),
        argued('{"a', **CALLED),
        arguments_done('{"a":1}'),
        done(call('{"a')),
        END,
    ),
    "fuller in the item": (
        added(call("")),
        argued('{"a', **CALLED),
        arguments_done('{"a'),
        done(call('{"a":1}')),
        END,
    ),
    "fuller in the answer": (added(call("")), argued('{"a', **CALLED), whole(call('{"a":1}'))),
    "when it begins": (added(call('{"a":1}')), END),
    "when it begins, and again": (added(call('{"a":1}')), argued('{"a":1}', **CALLED), END),
    "before it begins": (argued('{"a":1}', **CALLED), added(call("")), END),
    "without a beginning": (argued('{"a":1}', **CALLED), done(call('{"a":1}')), END),
    "without a beginning or end": (argued('{"a":1}', **CALLED), whole(call('{"a":1}'))),
    "at their end only": (arguments_done('{"a":1}', name="f"), END),
    "as an object in a delta": (added(call(None)), argued({"a": 1}, **CALLED), END),
    "ended twice": (added(call("")), done(call('{"a":1}')), done(call('{"a":1}')), END),
}


@pytest.mark.parametrize("events", CALLS.values(), ids=list(CALLS))
def test_arguments_are_read_wherever_they_stand(events: tuple[JSON, ...]) -> None:
    live = Live(events)
    assert live.told == CALL
    assert live.items[0]["name"] == "f"
    live.check()


def test_arguments_that_are_an_object_may_hold_any_number() -> None:
    big = b'{"n":1%b}' % (b"0" * 30)
    item = b'{"type":"function_call","name":"f","arguments":%b}' % big
    event = b'{"type":"response.output_item.done","item":%b}' % item
    assert Live([event, END]).told == [("function_call", big.decode(), DONE)]


def test_a_number_that_no_frame_can_hold_does_not_fail_the_turn() -> None:
    item = b'{"type":"web_search_call","id":"w","status":"completed","action":{"n":1%b}}' % (
        b"0" * 30
    )
    live = Live([b'{"type":"response.output_item.done","item":%b}' % item, END])
    assert live.items[0]["action"] == {"n": 1e30}
    live.check()


def test_items_that_only_the_whole_answer_has_are_told() -> None:
    live = Live([*BEGUN, whole(message("hel"), call('{"a":1}'))])
    assert live.told == [("message", "hel", DONE), *CALL]
    live.check()


def test_texts_that_only_an_index_tells_apart_stay_apart() -> None:
    texts = [said("a", output_index=0), said("b", output_index=1), said("c", output_index=0)]
    live = Live([*texts, END])
    assert live.told == [("message", "ac", DONE), ("message", "b", DONE)]
    live.check()


def test_an_id_that_a_thought_and_a_message_share_names_both() -> None:
    thought = {"type": "response.reasoning_text.delta", "item_id": "x", "delta": "hm"}
    live = Live([thought, said("Hi", item_id="x"), END])
    assert live.told == [("reasoning", "hm", DONE), ("message", "Hi", DONE)]
    assert live.assembler.runs == []


@pytest.mark.parametrize(
    ("end", "status"), [((END,), "completed"), ((), "incomplete")], ids=["well", "broken"]
)
def test_a_hosted_item_without_an_end_ends_with_the_turn(
    end: tuple[JSON, ...], status: str
) -> None:
    search = added({"type": "web_search_call", "id": "w", "status": "in_progress"}, output_index=0)
    live = Live([search, said("Hi", output_index=1), *end])
    assert live.told == [("web_search_call", "", status), ("message", "Hi", status)]
    live.check()


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_still_runs_is_no_end(status: str) -> None:
    running: JSON = {"object": "response", "status": status, "output": []}
    assert Live([running, *BEGUN, END]).told == [("message", "hel", DONE)]
