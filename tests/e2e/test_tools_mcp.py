"""Tools of MCP servers: listed, called, answered with; the backend sees functions only."""

import re
from typing import Any

import pytest

from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.desk_server import ODD_NAMES
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.stream_grammar import check_stream

ADD = {"a": 2, "b": 3}
FUNCTION = {"type": "function", "name": "ask_user", "parameters": {"type": "object"}}


def kinds(response: JSON) -> list[str]:
    """The types of the output items."""
    return [item["type"] for item in response["output"]]


def items(response: JSON, kind: str) -> list[JSON]:
    """The output items of one type."""
    return [item for item in response["output"] if item["type"] == kind]


async def use(api: Api, desk: Desk, after: str | None = None, **fields: Any) -> JSON:
    """Ask something with the desk at hand; gives the response."""
    given = {"tools": [desk.tool()], **fields}
    status, response = await api.post(asks("What is 2 + 3?", after, **given))
    assert status == 200, response
    return response


async def test_a_server_is_listed_its_tool_called_and_its_result_answered_with(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", ADD), says("It is 5."))

    response = await use(api, desk)

    assert (response["status"], text_of(response)) == ("completed", "It is 5.")
    assert kinds(response) == ["mcp_list_tools", "mcp_call", "message"]
    listing, call, _ = response["output"]
    assert listing["server_label"] == call["server_label"] == "desk"
    by_name = {tool["name"]: tool for tool in listing["tools"]}
    assert by_name["add"]["annotations"]["readOnlyHint"] is True
    assert by_name["add"]["input_schema"]["required"] == ["a", "b"]
    assert (call["name"], call["output"], call["status"]) == ("add", "5", "completed")
    assert call["error"] is None
    assert desk.calls("add") == [ADD]
    first, second = backend.requests
    assert {tool["type"] for tool in first.body["tools"]} == {"function"}
    assert [item["type"] for item in second.body["input"]] == [
        "message", "function_call", "function_call_output",
    ]  # fmt: skip
    assert second.body["input"][-1]["output"] == "5"
    status, stored = await api.get(f"/responses/{response['id']}")
    assert (status, stored) == (200, response)


async def test_a_stream_tells_each_step_as_openai_does(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", ADD), says("It is ", "5."))

    async with api.stream(asks("?", tools=[desk.tool()])) as stream:
        events = await stream.to_the_end()

    check_stream(events)
    told = [event["type"].removeprefix("response.") for event in events]
    assert told == [
        "created", "in_progress",
        "output_item.added", "mcp_list_tools.in_progress", "mcp_list_tools.completed",
        "output_item.done",
        "output_item.added", "mcp_call.in_progress", "mcp_call_arguments.delta",
        "mcp_call_arguments.delta", "mcp_call_arguments.done", "mcp_call.completed",
        "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    async with api.join(events[0]["response"]["id"]) as again:
        await again.to_the_end()
    assert again.raw == stream.raw


async def test_calls_of_one_sample_run_side_by_side(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("hold", {"word": "left"}) + calls("hold", {"word": "right"}), says("Ok."))

    async with api.stream(asks("?", tools=[desk.tool()])) as stream:
        await stream.until("response.mcp_call_arguments.done", 2)
        await desk.began("left")
        await desk.began("right")
        desk.let("right")
        desk.let("left")
        events = await stream.to_the_end()

    check_stream(events)
    outputs = [call["output"] for call in items(events[-1]["response"], "mcp_call")]
    assert outputs == ["did left", "did right"]


async def test_a_chain_lists_a_server_once(api: Api, backend: ScriptedBackend, desk: Desk) -> None:
    backend.script(says("Hello."), calls("add", ADD), says("5."), calls("add", ADD), says("5."))

    first = await use(api, desk)
    second = await use(api, desk, first["id"])
    branch = await use(api, desk, first["id"])

    assert kinds(first) == ["mcp_list_tools", "message"]
    assert kinds(second) == kinds(branch) == ["mcp_call", "message"]
    assert [call["output"] for call in items(second, "mcp_call")] == ["5"]
    listed = {fact["params"].get("cursor") for fact in desk.asked("tools/list")}
    assert listed == {None}
    assert items(second, "mcp_list_tools") == []


@pytest.mark.parametrize(
    "allowed",
    [["add"], {"tool_names": ["add"]}, {"read_only": True, "tool_names": ["add", "hold"]}],
)
async def test_only_allowed_tools_are_offered(
    api: Api, backend: ScriptedBackend, desk: Desk, allowed: Any
) -> None:
    backend.script(says("Fine."))

    response = await use(api, desk, tools=[desk.tool(allowed_tools=allowed)])

    (asked,) = backend.requests
    assert [tool["name"] for tool in asked.body["tools"]] == ["add"]
    assert response["tools"][0]["allowed_tools"] == allowed


async def test_a_tool_that_is_not_allowed_is_a_function_that_nobody_runs(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("note", {"text": "x"}))

    response = await use(api, desk, tools=[desk.tool(allowed_tools=["add"])])

    assert desk.calls("note") == []
    (call,) = items(response, "function_call")
    assert call["name"] == "note"


async def test_functions_and_mcp_tools_in_one_sample(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    tools = [FUNCTION, desk.tool()]
    backend.script(calls("add", ADD) + calls("ask_user", {"q": "?"}, call_id="call_u"))

    first = await use(api, desk, tools=tools)

    assert kinds(first) == ["mcp_list_tools", "mcp_call", "function_call"]
    (call,) = items(first, "mcp_call")
    assert (call["output"], call["status"]) == ("5", "completed")
    (function,) = items(first, "function_call")
    backend.script(says("Both."))
    answer = {"type": "function_call_output", "call_id": function["call_id"], "output": "yes"}
    status, second = await api.post(asks([answer], first["id"], tools=tools))
    assert (status, text_of(second)) == (200, "Both."), second
    told = [item["type"] for item in backend.requests[-1].body["input"]]
    assert sorted(told) == [
        "function_call", "function_call", "function_call_output", "function_call_output",
        "message",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        ("explode", {"reason": "the desk is on fire"}, "mcp_tool_execution_error"),
        ("close", {}, "http_error"),
        ("add", "[1, 2", "mcp_protocol_error"),
    ],
)
async def test_a_call_that_fails_says_why_and_the_model_goes_on(
    api: Api, backend: ScriptedBackend, desk: Desk, wrong: tuple[str, Any, str]
) -> None:
    name, arguments, kind = wrong
    backend.script(calls(name, arguments), says("It failed."))

    response = await use(api, desk)

    (call,) = items(response, "mcp_call")
    assert (call["status"], call["output"]) == ("failed", None)
    assert call["error"]["type"] == kind, call["error"]
    assert text_of(response) == "It failed."
    output = backend.requests[-1].body["input"][-1]["output"]
    assert output.startswith("Error: ")
    if name == "explode":
        assert "the desk is on fire" in output


async def test_no_more_tools_are_called_than_the_client_allows(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    texts = [{"text": f"n{number}"} for number in range(3)]
    three = calls("echo", texts[0]) + calls("echo", texts[1]) + calls("echo", texts[2])
    backend.script(three, says("Enough."))

    response = await use(api, desk, max_tool_calls=2)

    assert [call["status"] for call in items(response, "mcp_call")] == [
        "completed", "completed", "failed",
    ]  # fmt: skip
    made = [call for call in desk.calls("echo") if call in texts]
    assert sorted(call["text"] for call in made) == ["n0", "n1"]
    assert text_of(response) == "Enough."
    assert not backend.requests[-1].body.get("tools")


async def test_required_becomes_auto_after_the_first_round(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", ADD), says("5."))

    response = await use(api, desk, tool_choice="required")

    assert text_of(response) == "5."
    assert [each.body["tool_choice"] for each in backend.requests] == ["required", "auto"]
    assert response["tool_choice"] == "required"


async def test_a_server_that_is_not_there_is_said_before_anything_else(
    api: Api, desk: Desk
) -> None:
    gone = {**desk.tool(), "server_url": "http://127.0.0.1:9/mcp"}
    status, body = await api.post(asks("?", tools=[gone]))
    assert status == 424, body
    assert body["error"]["type"] == "external_connector_error"
    assert "'desk'" in body["error"]["message"]


async def test_a_tool_may_have_any_name_and_is_offered_under_an_alias(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(says("Hello."))
    response = await use(api, desk)
    offered = {tool["name"]: tool for tool in backend.requests[0].body["tools"]}
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in offered)
    assert "error" not in response["output"][0]

    for number, name in enumerate(ODD_NAMES, 1):
        backend.script(says("Hm."))
        await use(api, desk, tool_choice={"type": "mcp", "server_label": "desk", "name": name})
        alias = backend.requests[-1].body["tool_choice"]["name"]
        assert alias in offered

        backend.script(calls(alias, {"text": f"word {number}"}), says("Done."))
        response = await use(api, desk, tools=[desk.tool(allowed_tools=[name])])
        [call] = items(response, "mcp_call")
        assert (call["name"], call["output"]) == (name, f"word {number}")
        assert desk.calls(name) == [{"text": f"word {number}"}]
        made = backend.requests[-1].body["input"][-2]
        assert made["name"] == alias


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_call_by_an_odd_name_is_approved_streamed_and_remembered(
    api: Api, backend: ScriptedBackend, desk: Desk, name: str
) -> None:
    only = [desk.tool(allowed_tools=[name], require_approval={"always": {"tool_names": [name]}})]
    backend.script(says("Hm."))
    await use(api, desk, tools=only)
    [offered] = backend.requests[-1].body["tools"]

    backend.script(calls(offered["name"], {"text": "hi"}))
    asking = await use(api, desk, tools=only)
    [request] = items(asking, "mcp_approval_request")
    assert request["name"] == name

    backend.script(says("Done."))
    answer = {
        "type": "mcp_approval_response", "approve": True, "approval_request_id": request["id"],
    }  # fmt: skip
    body = {**asks("", asking["id"], tools=only), "input": [answer]}
    async with api.stream(body) as stream:
        events = await stream.to_the_end()
    check_stream(events)
    [call] = items(events[-1]["response"], "mcp_call")
    assert (call["name"], call["output"]) == (name, "hi")

    backend.script(says("Again."))
    await use(api, desk, events[-1]["response"]["id"], tools=only)
    made = [item for item in backend.requests[-1].body["input"] if item["type"] == "function_call"]
    assert [item["name"] for item in made] == [offered["name"]]
