"""Tools in namespaces, as Codex sends those of its MCP servers, with both kinds of backend."""

from collections.abc import Mapping
from typing import Any

import pytest

from e2e.rig.two_backends import Both
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import calls, says

NAMESPACE: JSON = {
    "type": "namespace",
    "name": "mcp__docs",
    "description": "Tools in the mcp__docs namespace.",
    "tools": [
        {"type": "function", "name": name, "description": "", "strict": False,
         "parameters": {"type": "object", "properties": {}}}
        for name in ("search", "fetch")
    ],
}  # fmt: skip
PLAIN: JSON = {"type": "function", "name": "search", "parameters": {"type": "object"}}
TOOLS = [PLAIN, NAMESPACE]
QUALIFIED = "mcp__docs__search"


def offered(told: Mapping[str, Any]) -> list[str]:
    """Name what a backend was offered."""
    return [tool.get("function", tool)["name"] for tool in told["tools"]]


@pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])
async def test_a_call_comes_back_in_its_namespace_and_is_told_by_its_qualified_name(
    both_api: Api, both: Both, index: int, model: str
) -> None:
    both[index].script(calls(QUALIFIED, '{"q":1}'), says("Found."))
    body = {"model": model, "tools": TOOLS}
    async with both_api.stream({**body, "input": "Find it."}) as opened:
        events = await opened.to_the_end()
    items = [event["item"] for event in events if "item" in event]
    items += events[-1]["response"]["output"]
    assert [item["type"] for item in items] == ["function_call"] * 3
    assert {(item["name"], item["namespace"]) for item in items} == {("search", "mcp__docs")}
    response = events[-1]["response"]
    assert await both_api.get(f"/responses/{response['id']}") == (200, response)
    assert response["tools"][1]["type"] == "namespace"

    made = items[-1]
    answer = {"type": "function_call_output", "call_id": made["call_id"], "output": "here"}
    chained = {"input": [answer], "previous_response_id": response["id"]}
    whole = {"input": [{"role": "user", "content": "Find it."}, made, answer]}
    for given in (chained, whole):
        _, second = await both_api.post({**body, **given})
        assert second["status"] == "completed", second
    both[index].script(says("Found."))
    _, third = await both_api.post({**body, "input": "And?", "previous_response_id": second["id"]})
    assert text_of(third) == "Found."
    for request in both[index].requests:
        assert offered(request.body) == ["search", QUALIFIED, "mcp__docs__fetch"]
    for request in list(both[index].requests)[1:]:
        call = (
            request.body["messages"][1]["tool_calls"][0]["function"]
            if index
            else request.body["input"][1]
        )
        assert (call["name"], "namespace" in call) == (QUALIFIED, False)


@pytest.mark.parametrize(("index", "model"), [(0, "alpha"), (1, "beta")])
async def test_a_plain_function_of_the_same_name_stays_plain(
    both_api: Api, both: Both, index: int, model: str
) -> None:
    both[index].script(calls("search"))
    _, response = await both_api.post({"model": model, "tools": TOOLS, "input": "Find it."})
    (item,) = response["output"]
    assert (item["name"], item.get("namespace")) == ("search", None)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"type": "function", "name": "search", "namespace": "mcp__docs"}, [QUALIFIED]),
        ({"type": "function", "name": "fetch"}, ["mcp__docs__fetch"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "namespace", "name": "mcp__docs"}]}, [QUALIFIED, "mcp__docs__fetch"]),
    ],
)  # fmt: skip
async def test_a_choice_among_them_reaches_the_backend(
    both_api: Api, both: Both, choice: JSON, told: list[str]
) -> None:
    for index, model in enumerate(("alpha", "beta")):
        both[index].script(calls(told[0]))
        body = {"model": model, "tools": TOOLS, "tool_choice": choice, "input": "Find it."}
        status, response = await both_api.post(body)
        assert status == 200, response
        assert response["tool_choice"] == choice
        asked = both[index].requests[0].body
        chosen = asked["tool_choice"]
        if isinstance(chosen, str):
            names = offered(asked)
        else:
            names = [tool["name"] for tool in chosen.get("tools", [chosen.get("function", chosen)])]
        assert names == told
    missing = {"type": "function", "name": "search", "namespace": "crm"}
    body = {"model": "beta", "tools": TOOLS, "tool_choice": missing, "input": "Find it."}
    status, said = await both_api.post(body)
    assert (status, said["error"]["param"]) == (400, "tool_choice.name"), said
