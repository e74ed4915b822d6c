"""Which tools a model may call, under which names, and which of them need approval."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.tools import Tool, Tools
from turnwire_orchestrator.prompting.cleaning import shown
from turnwire_orchestrator.prompting.toolbox import Toolbox, listing_item, offering, toolbox
from turnwire_testing.examples import requested
from turnwire_testing.tool_turns import LOOK, PAY, SCHEMA, mcp


def box_of(*tools: Any, **offers: list[Tool]) -> Toolbox:
    listings = [listing_item(label, Tools(offered)) for label, offered in offers.items()]
    return toolbox(requested(params={"tools": [*tools]}), listings)


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (None, ["look", "pay"]),
        (["pay"], ["pay"]),
        ([], []),
        ({"tool_names": ["look"]}, ["look"]),
        ({"read_only": True}, ["look"]),
        ({"read_only": False}, ["pay"]),
        ({"tool_names": ["pay"], "read_only": True}, []),
    ],
)
def test_only_allowed_tools_are_offered(rule: Any, names: list[str]) -> None:
    box = box_of(mcp(allowed_tools=rule), shop=[LOOK, PAY])
    assert [*box.exposed] == names


@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        (None, {"look", "pay"}),
        ("always", {"look", "pay"}),
        ("never", set[str]()),
        ({"never": {"tool_names": ["look"]}}, {"pay"}),
        ({"never": {"read_only": True}}, {"pay"}),
        ({"always": {"tool_names": ["pay"]}}, {"look", "pay"}),
        ({"always": {"tool_names": ["pay"]}, "never": {"tool_names": ["look", "pay"]}}, {"pay"}),
        ({}, {"look", "pay"}),
    ],
)
def test_what_is_not_said_to_be_free_needs_approval(rule: Any, asked: set[str]) -> None:
    box = box_of(mcp(require_approval=rule), shop=[LOOK, PAY])
    assert {name for name, each in box.exposed.items() if each.needs_approval} == asked


def test_tools_of_the_same_name_are_told_apart_by_their_servers() -> None:
    box = box_of(mcp("one"), mcp("two"), one=[PAY], two=[PAY, LOOK])
    assert [*box.exposed] == ["one__pay", "two__pay", "look"]
    assert box.exposed["two__pay"].server.label == "two"


def test_a_function_of_the_client_keeps_its_name() -> None:
    mine = {"type": "function", "name": "pay", "parameters": SCHEMA}
    assert [*box_of(mine, mcp(), shop=[PAY]).exposed] == ["shop__pay"]


def test_of_two_listings_of_a_server_the_newer_counts() -> None:
    listings = [listing_item("shop", Tools([PAY])), listing_item("shop", Tools([LOOK]))]
    assert [*toolbox(requested(params={"tools": [mcp()]}), listings).exposed] == ["pay"]


def test_a_server_that_was_never_listed_offers_nothing() -> None:
    box = box_of(mcp("other"), shop=[PAY])
    assert box.exposed == {}
    assert "tools" not in offering(requested(params={"tools": [mcp("other")]}), box, ()).params


_names = st.text("ab._/é", min_size=1, max_size=3) | st.text("ab", min_size=60, max_size=70)
_tools = st.lists(_names, max_size=4, unique=True).map(
    lambda names: [Tool(name, SCHEMA) for name in names]
)


@given(_tools, _tools, st.lists(_names, max_size=2))
def test_every_tool_has_a_name_of_its_own_that_backends_take(
    one: list[Tool], two: list[Tool], own: list[str]
) -> None:
    mine = [{"type": "function", "name": name, "parameters": SCHEMA} for name in own]
    box = box_of(*mine, mcp("a"), mcp("a_"), a=one, a_=two)
    assert len(box.exposed) == len(one) + len(two)
    assert not {*own} & {*box.exposed}
    for name, each in box.exposed.items():
        assert len(name) <= 64
        assert name.isascii()
        assert name.replace("_", "a").replace("-", "a").isalnum()
        assert box.tool(each.server.label, each.tool.name) == each


@pytest.mark.parametrize("name", ["a/b", "a b", "größe", "東京", "-", "x" * 65, "🌧", "pay!", "{}"])
def test_an_unusual_name_has_an_alias_that_does_not_depend_on_what_else_there_is(name: str) -> None:
    odd = Tool(name, SCHEMA)
    [alone] = box_of(mcp(), shop=[odd]).exposed
    others = [Tool(each, SCHEMA) for each in ("a_b", "a-b", "a.b", "a\\b", "pay", "__", "x" * 66)]
    beside = box_of(mcp(), shop=[*others, odd]).exposed
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", alone)
    assert beside[alone].tool == odd
    assert len(beside) == len(others) + 1
    call = {"type": "mcp_call", "id": "mcp_1", "server_label": "shop", "name": name}
    assert shown(call)[0]["name"] == alone


def test_what_a_server_lists_in_vain_is_said_in_its_listing() -> None:
    assert "error" not in listing_item("shop", Tools([PAY]))
    told = listing_item("shop", Tools([PAY], ["torn", "a b"]))
    assert told["error"] == "Left out, as no model can be offered them: torn, a b."
    assert [tool["name"] for tool in told["tools"]] == ["pay"]
