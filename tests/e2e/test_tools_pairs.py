"""Calls and their outputs in the order that strict backends ask for, with both kinds of backend."""

from collections.abc import Callable

import pytest

from e2e.rig.two_backends import Both
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import RecordedRequest, calls, says

TOOLS: list[JSON] = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
USER: JSON = {"role": "user", "content": "Look."}
HURRY: JSON = {"role": "user", "content": "Hurry."}


def call(call_id: str) -> JSON:
    """A call that the model made before."""
    return {"type": "function_call", "call_id": call_id, "name": "look", "arguments": "{}"}


def output(call_id: str, told: str = "seen") -> JSON:
    """What it gave."""
    return {"type": "function_call_output", "call_id": call_id, "output": told}


def of_responses(request: RecordedRequest) -> list[str]:
    """Read what a Responses backend was told: `call a`, `output a`, or a role."""
    words = {"function_call": "call", "function_call_output": "output"}
    return [
        f"{words[item['type']]} {item['call_id']}" if "call_id" in item else item["role"]
        for item in request.body["input"]
    ]


def of_chat(request: RecordedRequest) -> list[str]:
    """Read what a chat backend was told, in the same words."""
    told: list[str] = []
    for message in request.body["messages"]:
        if message["role"] == "tool":
            told.append(f"output {message['tool_call_id']}")
        elif "tool_calls" in message:
            told += [f"call {each['id']}" for each in message["tool_calls"]]
        else:
            told.append(message["role"])
    return told


Words = Callable[[RecordedRequest], list[str]]
WORDS: tuple[Words, Words] = (of_responses, of_chat)
either = pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])


@either
@pytest.mark.parametrize("stream", [False, True])
async def test_outputs_are_told_right_behind_their_calls(
    both_api: Api, both: Both, index: int, model: str, *, stream: bool
) -> None:
    given = [USER, call("a"), call("b"), HURRY, output("b"), output("a")]
    both[index].script(says("Seen."))
    body = {"model": model, "input": given, "tools": TOOLS}
    if stream:
        async with both_api.stream(body) as opened:
            response = (await opened.to_the_end())[-1]["response"]
    else:
        _, response = await both_api.post(body)
    assert text_of(response) == "Seen."
    assert WORDS[index](both[index].requests[0]) == [
        "user", "call a", "call b", "output b", "output a", "user",
    ]  # fmt: skip
    _, listed = await both_api.get(f"/responses/{response['id']}/input_items?order=asc")
    kinds = [item["type"] for item in listed["data"]]
    # What the client sent is kept as it was sent.
    assert kinds == ["message", "function_call", "function_call", "message",
                     "function_call_output", "function_call_output"]  # fmt: skip


@either
async def test_so_they_are_along_a_chain_and_in_a_conversation(
    both_api: Api, both: Both, index: int, model: str
) -> None:
    backend = both[index]
    for way in ("chain", "conversation"):
        before = len(backend.requests)
        backend.script(calls("look"), says("Seen."), says("Bye."))
        _, place = await both_api.call("POST", "/conversations", {})
        link: JSON = {"conversation": place["id"]} if way == "conversation" else {}
        body: JSON = {"model": model, "tools": TOOLS}
        _, first = await both_api.post({**body, "input": [USER], **link})
        (made,) = (item["call_id"] for item in first["output"])
        link = link or {"previous_response_id": first["id"]}
        _, second = await both_api.post({**body, "input": [HURRY, output(made)], **link})
        assert text_of(second) == "Seen.", second
        link = link if "conversation" in link else {"previous_response_id": second["id"]}
        status, said = await both_api.post({**body, "input": [output(made, "again")], **link})
        assert (status, said["error"]["param"]) == (400, "input[0]"), said
        assert f"second output for the call {made}" in said["error"]["message"]
        _, third = await both_api.post({**body, "input": "Bye.", **link})
        assert text_of(third) == "Bye.", third
        told = ["user", f"call {made}", f"output {made}", "user"]
        assert WORDS[index](backend.requests[before + 1]) == told
        assert WORDS[index](backend.requests[before + 2]) == [*told, "assistant", "user"]


WRONG: list[tuple[list[JSON], str, str]] = [
    ([USER, output("c1"), call("c1")], "input[1]", "c1"),
    ([output("c1"), call("c1"), HURRY], "input[0]", "c1"),
    ([USER, call("a"), output("a"), output("b"), call("b")], "input[3]", "b"),
    ([USER, call("c1"), output("c1"), output("c1")], "input[3]", "c1"),
    ([USER, call("c1"), output("c1"), HURRY, output("c1", "else")], "input[4]", "c1"),
    ([USER, call("a"), call("b"), output("a"), HURRY], "input", "b"),
    ([USER, output("z")], "input", "z"),
]


@pytest.mark.parametrize(("given", "place", "name"), WRONG)
async def test_a_wrong_pair_is_refused_by_its_call_and_place(
    both_api: Api, both: Both, given: list[JSON], place: str, name: str
) -> None:
    for model in ("alpha", "beta"):
        for way in ({}, {"stream": True}, {"background": True}):
            status, said = await both_api.post({"model": model, "input": given, **way})
            assert (status, said["error"]["param"]) == (400, place), said
            assert name in said["error"]["message"]
        counted = {"model": model, "input": given}
        status, said = await both_api.call("POST", "/responses/input_tokens", counted)
        assert (status, said["error"]["param"]) == (400, place), said
    assert not any(backend.requests for backend in both)


@either
async def test_items_that_were_added_in_any_order_are_told_in_the_right_one(
    both_api: Api, both: Both, index: int, model: str
) -> None:
    added = [USER, call("a"), HURRY, output("a"), output("a", "else"), output("z")]
    _, place = await both_api.call("POST", "/conversations", {"items": added})
    both[index].script(says("Seen."))
    body = {"model": model, "input": "Well?", "conversation": place["id"]}
    status, said = await both_api.post(body)
    assert (status, text_of(said)) == (200, "Seen."), said
    assert WORDS[index](both[index].requests[0]) == ["user", "call a", "output a", "user", "user"]
