"""How large a request may be: exactly so much passes, and a refusal names field and way out."""

from typing import Any

import orjson
import pytest

from turnwire_contracts.json_values import JSON
from turnwire_gateway.limits.allowances import Allowance
from turnwire_testing.gateway import error_of
from turnwire_testing.limited import limited_gateways

ALLOWANCE = Allowance(max_body_bytes=900, max_items=3, max_tools=2, max_depth=6)
ITEM: JSON = {"type": "message", "role": "user", "content": "Hello?"}


def tools(count: int) -> list[JSON]:
    """Give so many functions."""
    return [{"type": "function", "name": f"f{n}", "parameters": {}} for n in range(count)]


def namespace(count: int) -> JSON:
    """Give a namespace of so many functions."""
    return {"type": "namespace", "name": "n", "tools": tools(count)}


def calling(count: int) -> JSON:
    """Give a message of chat completions with so many calls."""
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": f"c{n}", "type": "function", "function": function} for n in range(count)]
    return {"role": "assistant", "tool_calls": calls}


def items(count: int) -> JSON:
    """Give fields with so many items."""
    return {"input": [ITEM] * count}


def nested(levels: int) -> JSON:
    """Give fields that make a body of so many levels."""
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return {"invented": value}


def filled(size: int) -> JSON:
    """Give fields that make a body of so many bytes."""
    body = {"model": "m", "input": ""}
    return {"input": "x" * (size - len(orjson.dumps(body)))}


@pytest.mark.parametrize(
    ("fits", "too_much", "error", "named"),
    [
        (items(3), items(4), (400, "invalid_value", "input"), "max_items"),
        (
            {"tools": tools(2)},
            {"tools": tools(3)},
            (400, "invalid_value", "tools"),
            "max_tools",
        ),
        (
            {"tools": [namespace(2)]},
            {"tools": [*tools(1), namespace(2)]},
            (400, "invalid_value", "tools"),
            "max_tools",
        ),
        (
            {"functions": tools(2)},
            {"functions": tools(3)},
            (400, "invalid_value", "functions"),
            "max_tools",
        ),
        (
            {"input": [calling(3)]},
            {"input": [calling(4)]},
            (400, "invalid_value", "input"),
            "max_items",
        ),
        (nested(6), nested(7), (400, "invalid_json", None), "max_depth"),
        (filled(900), filled(901), (413, "request_too_large", None), "max_body_bytes"),
    ],
    ids=["items", "tools", "namespace", "functions", "calls", "depth", "body"],
)
async def test_exactly_so_much_passes(
    nats_url: str, fits: JSON, too_much: JSON, error: tuple[int, str, str | None], named: str
) -> None:
    async with limited_gateways(nats_url, ALLOWANCE, gateways=1) as gateways:
        assert (await gateways.ask(**fits)).status == 200
        refused = await gateways.ask(**too_much)
        assert (*error_of(refused), refused.json["error"]["param"]) == error
        assert f"`{named}` in TURNWIRE_LIMITS" in refused.json["error"]["message"]


async def test_the_smaller_of_a_keys_and_its_tenants_limit_holds(nats_url: str) -> None:
    keys = {"key_1": Allowance(max_items=1), "key_2": Allowance(max_items=9)}
    async with limited_gateways(nats_url, ALLOWANCE, keys=keys, gateways=1) as gateways:
        two, four = items(2), items(4)
        assert error_of(await gateways.ask(who="a/key_1", **two)) == (400, "invalid_value")
        assert (await gateways.ask(who="a/key_2", **two)).status == 200
        assert error_of(await gateways.ask(who="a/key_2", **four)) == (400, "invalid_value")


async def test_items_put_into_a_conversation_are_bounded_as_well(nats_url: str) -> None:
    async with limited_gateways(nats_url, ALLOWANCE, gateways=1) as gateways:
        who = {"authorization": gateways.authorization}
        api = gateways.apis[0]
        begun = await api.call("POST", "/v1/conversations", {}, **who)
        path = f"/v1/conversations/{begun.json['id']}/items"
        refused = await api.call("POST", path, {"items": [ITEM] * 4}, **who)
        assert error_of(refused) == (400, "invalid_value")
        assert refused.json["error"]["param"] == "items"
