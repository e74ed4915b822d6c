"""MCP's reference server, called through the whole stack: every kind of result it has."""

from typing import Any

import pytest

from e2e.rig.conversation import asks
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says

pytestmark = [pytest.mark.clients, pytest.mark.installed]

SHOWN: list[tuple[str, JSON, str]] = [
    ("echo", {"message": "hello"}, "Echo: hello"),
    ("get-sum", {"a": 19, "b": 23}, "The sum of 19 and 23 is 42."),
    ("get-tiny-image", {}, "[image/png, "),
    ("get-annotated-message", {"messageType": "success", "includeImage": True}, "[image/png, "),
    ("get-resource-links", {"count": 2}, "[resource "),
    ("get-resource-reference", {"resourceType": "Text", "resourceId": 1}, "[resource "),
    ("get-resource-reference", {"resourceType": "Blob", "resourceId": 2}, " bytes]"),
    ("get-structured-content", {"location": "Chicago"}, '"temperature"'),
    ("trigger-long-running-operation", {"duration": 1, "steps": 4}, "completed"),
]


def server(url: str, **fields: Any) -> JSON:
    """Declare it."""
    about = {"server_label": "everything", "server_url": url, "require_approval": "never"}
    return {"type": "mcp", **about, **fields}


async def test_all_its_tools_are_listed(
    api: Api, backend: ScriptedBackend, everything: str
) -> None:
    backend.script(says("Many."))
    status, response = await api.post(asks("Which?", tools=[server(everything)]))
    assert status == 200, response
    listing = response["output"][0]
    names = {tool["name"] for tool in listing["tools"]}
    assert names >= {name for name, _, _ in SHOWN}
    assert "error" not in listing
    assert {tool["name"] for tool in backend.requests[0].body["tools"]} == names


async def test_every_kind_of_result_is_shown_to_the_model(
    api: Api, backend: ScriptedBackend, everything: str
) -> None:
    previous = None
    for name, arguments, shown in SHOWN:
        backend.script(calls(name, arguments), says("Seen."))
        given = asks("Do it.", previous, tools=[server(everything)])
        status, response = await api.post(given)
        assert (status, text_of(response)) == (200, "Seen."), response
        (call,) = [item for item in response["output"] if item["type"] == "mcp_call"]
        assert call["status"] == "completed", call
        assert shown in call["output"], call
        assert call["output"] == backend.requests[-1].body["input"][-1]["output"]
        previous = response["id"]


async def test_wrong_arguments_are_an_error_that_the_model_reads(
    api: Api, backend: ScriptedBackend, everything: str
) -> None:
    backend.script(calls("get-sum", {"a": "many"}), says("No."))
    status, response = await api.post(asks("?", tools=[server(everything)]))
    assert (status, text_of(response)) == (200, "No."), response
    (call,) = [item for item in response["output"] if item["type"] == "mcp_call"]
    assert call["error"]["type"] in ("mcp_protocol_error", "mcp_tool_execution_error"), call
