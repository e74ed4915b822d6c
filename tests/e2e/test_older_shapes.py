"""Requests in the shapes of chat completions: what backends of both kinds are asked, the echo."""

import pytest

from e2e.rig.stack import Stack
from e2e.rig.two_backends import Both
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import says
from turnwire_testing.sockets import connected

SCHEMA: JSON = {"type": "object", "properties": {"a": {"type": "integer"}}}
FUNCTION: JSON = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
CHOSEN: JSON = {"type": "function", "function": {"name": "add"}}
IMAGE = "data:image/png;base64,AA"
OLDER: JSON = {
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": CHOSEN,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    "max_tokens": 50,
    "input": [
        {"role": "user", "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_a", "type": "function", "function": {"name": "add", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_a", "content": "3"},
    ],
}  # fmt: skip
FLAT: JSON = {
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "function", "name": "add"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    "max_output_tokens": 50,
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_responses_backend_is_asked_in_the_flat_shape(
    both_api: Api, both: Both, *, stream: bool
) -> None:
    both[0].script(says("{}"))
    response = await asked(both_api, {"model": "alpha", **OLDER}, stream=stream)
    told = both[0].requests[0].body
    assert {name: told[name] for name in FLAT} == FLAT
    message, call, output = told["input"]
    assert message["content"] == [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": IMAGE, "detail": "low"},
    ]
    assert (call["type"], call["call_id"], call["name"]) == ("function_call", "call_a", "add")
    assert output == {"type": "function_call_output", "call_id": "call_a", "output": "3"}
    assert {name: told[name] for name in FLAT} == FLAT
    assert response["tool_choice"] == FLAT["tool_choice"]
    assert response["max_output_tokens"] == 50
    assert response["text"]["format"]["name"] == "n"
    assert response["tools"][0]["name"] == "add"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_chat_backend_is_asked_in_its_own_shape_again(
    both_api: Api, both: Both, *, stream: bool
) -> None:
    both[1].script(says("{}"))
    await asked(both_api, {"model": "beta", **OLDER}, stream=stream)
    told = both[1].requests[0].body
    for name in ("tools", "tool_choice", "response_format", "max_tokens"):
        assert told[name] == OLDER[name]
    user, assistant, tool = told["messages"]
    assert user == OLDER["input"][0]
    assert assistant == OLDER["input"][1]
    assert tool == OLDER["input"][2]


async def asked(api: Api, body: JSON, *, stream: bool) -> JSON:
    """Send a request; gives the response."""
    if not stream:
        status, response = await api.post(body)
        assert (status, text_of(response)) == (200, "{}"), response
        return response
    async with api.stream(body) as opened:
        events = await opened.to_the_end()
    assert events[-1]["type"] == "response.completed"
    return events[-1]["response"]


WRONG: list[tuple[JSON, str]] = [
    ({"tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": 5}]}, "tools[0].name"),
    ({"tools": [{"type": "function", "name": "f", "parameters": "{}"}]}, "tools[0].parameters"),
    ({"tools": [{"type": "function", "name": "f", "strict": "yes"}]}, "tools[0].strict"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"text": {"format": {"type": "hologram"}}}, "text.format.type"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": 5}]}]},
     "input[0].content[0].image_url"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "place"), WRONG)
async def test_what_cannot_be_is_refused_on_every_way_in(
    two: Stack, both_api: Api, both: Both, fields: JSON, place: str
) -> None:
    body = {"model": "alpha", "input": "Hi.", **fields}
    for path, more in (
        ("/responses", {}),
        ("/responses", {"stream": True}),
        ("/responses", {"background": True}),
        ("/responses/input_tokens", {}),
    ):
        status, said = await both_api.call("POST", path, body | more)
        assert (status, said["error"]["param"]) == (400, place), said
        assert said["error"]["type"] == "invalid_request_error"
    async with connected(two.url, two.bearer) as socket:
        error = await socket.error(**body)
    assert (error["status"], error["error"]["param"]) == (400, place)
    assert not any(backend.requests for backend in both)


async def test_items_are_read_alike_where_they_are_kept_or_summed_up(
    both_api: Api, both: Both
) -> None:
    chat, wrong = OLDER["input"], [{"role": "tool", "content": "3"}]
    status, made = await both_api.call("POST", "/conversations", {"items": chat})
    assert status == 200, made
    _, kept = await both_api.get(f"/conversations/{made['id']}/items?order=asc")
    kinds = [item["type"] for item in kept["data"]]
    assert kinds == ["message", "function_call", "function_call_output"]
    for path, name in (
        ("/conversations", "items"),
        (f"/conversations/{made['id']}/items", "items"),
    ):
        status, said = await both_api.call("POST", path, {name: wrong})
        assert (status, said["error"]["param"]) == (400, "items[0].tool_call_id"), said
    both[1].script(says("They added."))
    status, said = await both_api.call(
        "POST", "/responses/compact", {"model": "beta", "input": chat}
    )
    assert status == 200, said
    roles = [message["role"] for message in both[1].requests[0].body["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]
