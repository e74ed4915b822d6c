"""Tools in namespaces, for backends that know none: qualified names there, and back again.

Their shape is that of Codex, which sends the tools of its MCP servers so (OpenAI: `NamespaceTool`).
"""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter, payload
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.prompting.client_tools import client_tools
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_testing.examples import RESPONSE_ID, user
from turnwire_testing.prompts import CUSTOM, FUNCTION, SEARCH, as_chat, as_response, prompt

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def space(name: str, *tools: str | JSON) -> JSON:
    """A namespace; a name is a function of it."""
    inner = [
        {"type": "function", "name": tool, "description": f"{tool}s.", "strict": False,
         "parameters": {"type": "object"}, "defer_loading": True}
        if isinstance(tool, str)
        else tool
        for tool in tools
    ]  # fmt: skip
    return {"type": "namespace", "name": name, "description": f"Tools of {name}.", "tools": inner}


DOCS = space("mcp__docs", "search", "fetch")
TOOLS = [FUNCTION, DOCS, SEARCH]


def names(told: JSON) -> list[str]:
    """Name the tools of a request to a backend."""
    tools: list[JSON] = told.get("tools", [])
    return [mapping(tool.get("function", tool)).get("name", tool["type"]) for tool in tools]


def called(params: JSON, name: str) -> Item:
    """Give the client's call that a model's call stands for."""
    return client_tools(params).clients({"type": "function_call", "name": name, "arguments": "{}"})


def test_a_chat_backend_is_offered_them_as_functions_under_qualified_names() -> None:
    told = as_chat(prompt({"tools": TOOLS}))
    assert names(told) == ["add", "mcp__docs__search", "mcp__docs__fetch"]
    assert told["tools"][1] == {
        "type": "function",
        "function": {
            "name": "mcp__docs__search",
            "description": "searchs.",
            "parameters": {"type": "object"},
            "strict": False,
        },
    }


@pytest.mark.parametrize("dialect", [each for each in Dialect if each is not Dialect.OPENAI])
def test_so_are_responses_backends_other_than_openai(dialect: Dialect) -> None:
    others = [] if dialect is Dialect.LLAMA_CPP else ["web_search"]
    told = as_response(prompt({"tools": TOOLS}), dialect)
    assert names(told) == ["add", "mcp__docs__search", "mcp__docs__fetch", *others]
    assert {tool["type"] for tool in told["tools"]} <= {"function", "web_search"}


def test_openai_gets_namespaces_as_they_are() -> None:
    past: list[Item] = [
        {"type": "function_call", "call_id": "c", "name": "search", "namespace": "mcp__docs",
         "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]  # fmt: skip
    told = as_response(prompt({"tools": TOOLS}, input=past), Dialect.OPENAI)
    assert told["tools"] == TOOLS
    assert (told["input"][0]["name"], told["input"][0]["namespace"]) == ("search", "mcp__docs")


@pytest.mark.parametrize(
    ("tools", "told"),
    [
        ([space("mcp__docs__", "search")], ["mcp__docs__search"]),
        ([space("crm", "a"), space("shop", "a")], ["crm__a", "shop__a"]),
        ([space("my docs", "find/all")], ["my_docs__find_all"]),
        ([space("crm", "a"), space("crm", "a", "b")], ["crm__a", "crm__a", "crm__b"]),
        ([space("", "a")], ["a"]),
        ([space("crm")], []),
        ([{"type": "namespace"}], []),
    ],
)
def test_a_qualified_name_is_the_namespace_and_the_name(tools: list[JSON], told: list[str]) -> None:
    assert names(as_chat(prompt({"tools": tools}))) == told


@pytest.mark.parametrize(
    "tools",
    [
        [{**FUNCTION, "name": "crm__a"}, space("crm", "a")],
        [space("crm__a", "b"), space("crm", "a__b")],
        [space("a b", "c"), space("a/b", "c")],
        [space("n" * 60, "search", "find")],
        [space("n", "search" * 20)],
        [{**CUSTOM, "name": "crm__a"}, space("crm", "a", {**CUSTOM, "name": "b"})],
    ],
)
def test_names_are_short_and_apart_and_lead_back(tools: list[JSON]) -> None:
    params = {"tools": tools}
    told = names(as_chat(prompt(params)))
    assert len({*told}) == len(told)
    assert all(NAME.fullmatch(name) for name in told)
    back = [called(params, name) for name in told]
    given_names = [
        (tool["name"], inner)
        for tool in tools
        for inner in ([each["name"] for each in tool["tools"]] if "tools" in tool else [None])
    ]
    assert [
        (call["namespace"], call["name"]) if "namespace" in call else (call["name"], None)
        for call in back
    ] == given_names


@given(
    st.lists(
        st.tuples(st.text("ab_/ ", min_size=1, max_size=40), st.text("ab_/ ", min_size=1)),
        max_size=6,
        unique=True,
    )
)
def test_any_names_lead_back(pairs: list[tuple[str, str]]) -> None:
    params = {"tools": [{**FUNCTION, "name": "a__b"}, *(space(*pair) for pair in pairs)]}
    tools = client_tools(params)
    told = [tools.name_of(*pair) for pair in pairs]
    assert len({"a__b", *told}) == 1 + len(pairs)
    assert all(NAME.fullmatch(name) for name in told)
    back = [called(params, name) for name in told]
    assert [(call["namespace"], call["name"]) for call in back] == pairs


NAMED = {"type": "function", "name": "mcp__docs__search"}
BOTH = [NAMED, {**NAMED, "name": "mcp__docs__fetch"}]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"type": "function", "name": "search", "namespace": "mcp__docs"}, NAMED),
        ({"type": "function", "name": "search"}, NAMED),
        ({"type": "function", "name": "add"}, {"type": "function", "name": "add"}),
        (
            {"type": "namespace", "name": "mcp__docs"},
            {"type": "allowed_tools", "mode": "required", "tools": BOTH},
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [
                {"type": "function", "name": "add"},
                {"type": "function", "name": "fetch", "namespace": "mcp__docs"},
            ]},
            {"type": "allowed_tools", "mode": "auto", "tools": [
                {"type": "function", "name": "add"}, BOTH[1],
            ]},
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [
                {"type": "namespace", "name": "mcp__docs"},
            ]},
            {"type": "allowed_tools", "mode": "required", "tools": BOTH},
        ),
        ("required", "required"),
    ],
)  # fmt: skip
def test_a_choice_among_them_is_told_in_qualified_names(choice: Any, told: Any) -> None:
    asked = prompt({"tools": TOOLS, "tool_choice": choice})
    assert as_response(asked)["tool_choice"] == told
    chat = as_chat(asked)
    if mapping(told).get("type") == "allowed_tools":
        assert names(chat) == [tool["name"] for tool in told["tools"]]
        assert chat["tool_choice"] == told["mode"]
    elif mapping(told):
        assert chat["tool_choice"] == {"type": "function", "function": {"name": told["name"]}}


@pytest.mark.parametrize("tools", [TOOLS, [FUNCTION], [space("mcp__docs", "search")]])
def test_a_history_tells_them_by_their_qualified_names(tools: list[JSON]) -> None:
    """Also when they are not offered any more."""
    past: list[Item] = [
        user("Find it."),
        {"type": "function_call", "call_id": "c", "name": "search", "namespace": "mcp__docs",
         "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ]  # fmt: skip
    asked = prompt({"tools": tools}, input=past)
    call = as_chat(asked)["messages"][1]["tool_calls"][0]["function"]
    assert call["name"] == "mcp__docs__search"
    for dialect in (Dialect.PLAIN, Dialect.VLLM, Dialect.LLAMA_CPP):
        _, made, given_back = as_response(asked, dialect)["input"]
        assert made["name"] == "mcp__docs__search"
        assert "namespace" not in made
        assert given_back["call_id"] == "c"


PATCH = space("edit", {**CUSTOM, "name": "patch"})


def read(reader: type[Reader] | type[ChatReader], *told: JSON) -> tuple[list[Item], list[JSON]]:
    """Let a backend call; gives the items, and those of all frames."""
    frames = FrameWriter()
    assembler = Assembler(RESPONSE_ID, frames)
    tools = client_tools({"tools": [*TOOLS, PATCH]})
    sample = (
        ChatReader(assembler, tools) if reader is ChatReader else Reader(assembler, None, tools)
    )
    for event in told:
        sample.take(orjson.dumps(event))
    sample.end()
    events = [payload(frame) for frame in frames.take()[1]]
    return assembler.items, [event["item"] for event in events if "item" in event]


def chat_call(name: str, arguments: str) -> JSON:
    """A call as chat completions tell it."""
    call = {"index": 0, "id": "c", "function": {"name": name, "arguments": arguments}}
    return {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}


def call_events(kind: str, name: str, text: str) -> list[JSON]:
    """A call as Responses tell it."""
    field = "arguments" if kind == "function_call" else "input"
    item = {"type": kind, "id": "i", "call_id": "c", "name": name, field: ""}
    event = {
        "function_call": "function_call_arguments",
        "custom_tool_call": "custom_tool_call_input",
    }
    return [
        {"type": "response.output_item.added", "item": item},
        {"type": f"response.{event[kind]}.delta", "item_id": "i", "delta": text},
        {"type": "response.output_item.done", "item": {**item, field: text}},
        {"type": "response.completed", "response": {"status": "completed"}},
    ]


def whole_call(kind: str, name: str, text: str) -> list[JSON]:
    """A call that comes only with the end."""
    field = "arguments" if kind == "function_call" else "input"
    item = {"type": kind, "call_id": "c", "name": name, field: text}
    end = {"status": "completed", "output": [item]}
    return [{"type": "response.completed", "response": end}]


FUNCTION_CALLS = [
    (ChatReader, [chat_call("mcp__docs__search", '{"q":1}')]),
    (Reader, call_events("function_call", "mcp__docs__search", '{"q":1}')),
    (Reader, whole_call("function_call", "mcp__docs__search", '{"q":1}')),
]
CUSTOM_CALLS = [
    (ChatReader, [chat_call("edit__patch", '{"input":"+a"}')]),
    (Reader, call_events("custom_tool_call", "edit__patch", "+a")),
    (Reader, call_events("function_call", "edit__patch", '{"input":"+a"}')),
    (Reader, whole_call("function_call", "edit__patch", '{"input":"+a"}')),
]


@pytest.mark.parametrize(("reader", "told"), FUNCTION_CALLS)
def test_a_call_comes_back_in_its_namespace_from_the_first_frame_on(
    reader: type[Reader] | type[ChatReader], told: list[JSON]
) -> None:
    (item,), shown = read(reader, *told)
    assert item["arguments"] == '{"q":1}'
    for each in (item, *shown):
        assert (each["type"], each["name"], each["namespace"]) == (
            "function_call", "search", "mcp__docs",
        )  # fmt: skip


@pytest.mark.parametrize(("reader", "told"), CUSTOM_CALLS)
def test_so_does_the_call_of_a_custom_tool(
    reader: type[Reader] | type[ChatReader], told: list[JSON]
) -> None:
    (item,), shown = read(reader, *told)
    assert item["input"] == "+a"
    for each in (item, *shown):
        assert (each["type"], each["name"], each["namespace"]) == (
            "custom_tool_call", "patch", "edit",
        )  # fmt: skip


def test_other_functions_are_told_as_they_are() -> None:
    (item,), _ = read(ChatReader, chat_call("add", "{}"))
    assert (item["name"], "namespace" in item) == ("add", False)
    (item,), _ = read(Reader, *call_events("function_call", "search", "{}"))
    assert (item["name"], "namespace" in item) == ("search", False)
