"""MCP tools that need approval: a response ends with a question, a later one has the answer."""

from typing import Any

from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.stream_grammar import check_stream

TEXT = {"text": "buy beans"}


def answers(request: JSON, **fields: Any) -> list[JSON]:
    """The input that answers a question for approval."""
    return [{"type": "mcp_approval_response", "approval_request_id": request["id"], **fields}]


async def asked(api: Api, backend: ScriptedBackend, desk: Desk) -> tuple[JSON, JSON]:
    """Have the model want a note; gives the response and its question."""
    backend.script(calls("note", TEXT))
    tools = [desk.tool(require_approval="always")]
    status, response = await api.post(asks("Note it.", tools=tools))
    assert (status, response["status"]) == (200, "completed"), response
    listing, request = response["output"]
    assert (listing["type"], request["type"]) == ("mcp_list_tools", "mcp_approval_request")
    assert (request["name"], request["server_label"]) == ("note", "desk")
    assert desk.calls("note") == []
    return response, request


async def test_an_approved_call_is_made_once_and_answered_with(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    first, request = await asked(api, backend, desk)
    backend.script(says("Noted."))

    tools = [desk.tool(require_approval="always")]
    given = asks(answers(request, approve=True), first["id"], tools=tools)
    async with api.stream(given) as stream:
        events = await stream.to_the_end()

    check_stream(events)
    response = events[-1]["response"]
    call, _ = response["output"]
    assert (call["type"], call["approval_request_id"]) == ("mcp_call", request["id"])
    assert (call["output"], call["status"]) == ("Noted: buy beans", "completed")
    assert text_of(response) == "Noted."
    assert desk.calls("note") == [TEXT]


async def test_a_denied_call_is_never_made_and_the_model_hears_why(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    first, request = await asked(api, backend, desk)
    backend.script(says("Then not."))

    given = answers(request, approve=False, reason="No more beans.")
    tools = [desk.tool(require_approval="always")]
    status, second = await api.post(asks(given, first["id"], tools=tools))

    assert (status, text_of(second)) == (200, "Then not."), second
    assert desk.calls("note") == []
    told = backend.requests[-1].body["input"][-1]
    assert told["type"] == "function_call_output"
    assert "No more beans." in told["output"]


async def test_an_answer_may_come_turns_later_and_in_a_branch(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    first, request = await asked(api, backend, desk)
    tools = [desk.tool(require_approval="always")]
    backend.script(says("Waiting."), says("Noted."), says("Left."))

    _, between = await api.post(asks("Wait.", first["id"], tools=tools))
    yes, no = answers(request, approve=True), answers(request, approve=False)
    status, later = await api.post(asks(yes, between["id"], tools=tools))
    assert (status, text_of(later)) == (200, "Noted."), later
    status, branch = await api.post(asks(no, first["id"], tools=tools))
    assert (status, text_of(branch)) == (200, "Left."), branch
    assert desk.calls("note") == [TEXT]


async def test_an_answer_to_nothing_is_refused(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    first, _ = await asked(api, backend, desk)
    given = answers({"id": "mcpr_of_somebody_else"}, approve=True)
    status, body = await api.post(asks(given, first["id"], tools=[desk.tool()]))
    assert 400 <= status < 500, body
    assert "mcpr_of_somebody_else" in body["error"]["message"]
    assert desk.calls("note") == []


async def test_only_tools_that_change_something_are_asked_about(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", {"a": 1, "b": 1}), calls("note", TEXT))
    tools = [desk.tool(require_approval={"never": {"read_only": True}})]

    status, response = await api.post(asks("?", tools=tools))

    assert status == 200
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["mcp_list_tools", "mcp_call", "mcp_approval_request"]
    assert desk.calls("note") == []


async def test_a_tool_that_has_changed_since_it_was_approved_is_asked_about_again(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    first, request = await asked(api, backend, desk)
    desk.let("poison")
    backend.script(calls("note", TEXT))

    tools = [desk.tool(require_approval="always")]
    status, second = await api.post(asks(answers(request, approve=True), first["id"], tools=tools))

    assert status == 200, second
    call, listing, again = second["output"]
    assert (call["type"], call["status"]) == ("mcp_call", "failed")
    assert "is not what it was" in call["error"]["message"]
    assert listing["type"] == "mcp_list_tools"
    (note,) = [tool for tool in listing["tools"] if tool["name"] == "note"]
    assert "every file" in note["description"]
    assert (again["type"], again["name"]) == ("mcp_approval_request", "note")
    assert desk.calls("note") == []

    backend.script(says("Noted."))
    status, third = await api.post(asks(answers(again, approve=True), second["id"], tools=tools))
    assert (status, text_of(third)) == (200, "Noted."), third
    assert desk.calls("note") == [TEXT]


async def test_a_tool_that_changes_between_list_and_call_is_not_called_unseen(
    api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(says("Hello."), calls("note", TEXT), says("Better not."))
    tools = [desk.tool(require_approval="always")]
    _, first = await api.post(asks("Hello.", tools=tools))
    _, second = await api.post(asks("Note it.", first["id"], tools=tools))
    (request,) = second["output"]
    desk.let("poison")

    given = answers(request, approve=False)
    status, third = await api.post(asks(given, second["id"], tools=tools))

    assert (status, text_of(third)) == (200, "Better not."), third
    assert desk.calls("note") == []
