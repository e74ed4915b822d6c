"""Tools of type `mcp` in a request: what is taken, refused, merged with the operator's, sealed."""

from typing import Any

import orjson
import pytest

from turnwire_chassis.tool_servers.registry import parse_tool_servers
from turnwire_chassis.tool_servers.secret_envelope import Purpose, Sealer, ToolServerSecrets
from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_contracts.tools import ToolServer
from turnwire_contracts.wire.response import running_response
from turnwire_gateway.admission.admission import Origin, check_pairs
from turnwire_gateway.api.requests.validation import Rules, SecretSealing, requested
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import AT, OWNER, RESPONSE_ID, TENANT

URL = "https://tools.example/mcp"
CANARY = "tok-canary-5e1f"
ORIGIN = Origin(TENANT, OWNER, "req_1", RESPONSE_ID, AT)
SEALER = Sealer([b"k" * 32])
REGISTRY = parse_tool_servers(
    """
    servers:
      search:
        url: http://search.internal/mcp
        description: Searches.
        allowed_tools: [find, fetch]
        require_approval: { never: { read_only: true } }
      open: { url: http://open.internal/mcp }
    """,
    "servers.yaml",
)
RULES = Rules(
    screen=False,
    prompts={},
    servers=REGISTRY,
    sealing=SecretSealing(SEALER, turn_ms=1_000, background_ms=60_000),
)


def mcp(**fields: Any) -> JSON:
    """Declare a server by its URL."""
    return {"type": "mcp", "server_label": "tools", "server_url": URL, **fields}


def registered(**fields: Any) -> JSON:
    """Declare the operator's server."""
    return {"type": "mcp", "server_label": "search", **fields}


def accepted(*tools: JSON, rules: Rules = RULES, **fields: Any) -> Requested:
    """Send a request that is taken."""
    given = {"model": "m", "input": "Hello?", "tools": [*tools], **fields}
    return requested(given, ORIGIN, rules)


def kept(tool: JSON) -> JSON:
    """Give what is kept of a tool."""
    (found,) = accepted(tool).params["tools"]
    return found


def refusal(*tools: Any, **fields: Any) -> tuple[int, str, str | None]:
    """Send a request that is refused; gives status, code and param."""
    with pytest.raises(ApiError) as raised:
        accepted(*tools, **fields)
    failure = raised.value.failure
    assert CANARY not in failure.message
    return failure.http_status, failure.code, failure.param


def test_approval_is_always_needed_unless_something_else_is_said() -> None:
    assert kept(mcp()) == mcp(require_approval="always")
    assert kept(mcp(require_approval="never"))["require_approval"] == "never"


@pytest.mark.parametrize(
    "fields",
    [
        {"allowed_tools": []},
        {"allowed_tools": ["add"]},
        {"allowed_tools": {"tool_names": ["add"], "read_only": True}},
        {"require_approval": {"always": {"tool_names": ["note"]}}},
        {"require_approval": {"never": {"read_only": True}, "always": {"tool_names": []}}},
        {"server_description": "Adds."},
        {"defer_loading": True, "hologram": {"depth": 3}},
    ],
)
def test_what_openai_takes_is_kept(fields: JSON) -> None:
    assert kept(mcp(**fields)) == {**mcp(require_approval="always"), **fields}


def test_nulls_say_nothing() -> None:
    nulls = dict.fromkeys(
        ("allowed_tools", "require_approval", "headers", "authorization", "connector_id")
    )
    assert kept(mcp(**nulls)) == mcp(require_approval="always")


def test_a_filter_that_says_nothing_frees_nothing() -> None:
    assert kept(mcp(require_approval={"never": {}}))["require_approval"] == "always"


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        ({"type": "mcp"}, "server_label"),
        ({"type": "mcp", "server_url": URL}, "server_label"),
        (mcp(server_label=""), "server_label"),
        (mcp(server_label="a b"), "server_label"),
        (mcp(server_label="x" * 65), "server_label"),
        (mcp(server_label=7), "server_label"),
        (mcp(server_url=None), "server_url"),
        (mcp(server_url="ftp://tools.example"), "server_url"),
        (mcp(server_url="tools.example/mcp"), "server_url"),
        (mcp(server_url="https://"), "server_url"),
        (mcp(server_url="https://[::1/mcp"), "server_url"),
        (mcp(server_url=f"https://ada:{CANARY}@tools.example/mcp"), "server_url"),
        (mcp(server_url=f"https://tools.example/{CANARY}\n"), "server_url"),
        (mcp(server_url=["https://tools.example"]), "server_url"),
        (mcp(server_description=1), "server_description"),
        (mcp(allowed_tools="add"), "allowed_tools"),
        (mcp(allowed_tools=[1]), "allowed_tools[0]"),
        (mcp(allowed_tools={"tool_names": "add"}), "allowed_tools.tool_names"),
        (mcp(allowed_tools={"read_only": "yes"}), "allowed_tools.read_only"),
        (mcp(require_approval="sometimes"), "require_approval"),
        (mcp(require_approval=True), "require_approval"),
        (mcp(require_approval={"never": "add"}), "require_approval.never"),
        (
            mcp(require_approval={"always": {"tool_names": [""]}}),
            "require_approval.always.tool_names[0]",
        ),
        (mcp(authorization=7), "authorization"),
        (mcp(authorization=f"{CANARY}\r\nX-Evil: 1"), "authorization"),
        (mcp(headers=CANARY), "headers"),
        (mcp(headers={"X-Key": [CANARY]}), "headers"),
        (mcp(headers={"X Key": CANARY}), "headers"),
        (mcp(headers={"X-Key": CANARY, "x-key": CANARY}), "headers"),
        (mcp(headers={"Authorization": CANARY}, authorization=CANARY), "headers"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_never_quoted(tool: JSON, param: str) -> None:
    function = {"type": "function", "name": "f"}
    assert refusal(function, tool) == (400, "invalid_value", f"tools[1].{param}")


@pytest.mark.parametrize("name", ["connector_id", "tunnel_id"])
def test_openais_own_connectors_are_refused_by_name(name: str) -> None:
    tool = {"type": "mcp", "server_label": "drive", name: "connector_dropbox"}
    assert refusal(tool) == (400, "unsupported_parameter", f"tools[0].{name}")


def test_a_label_stands_for_one_server() -> None:
    assert refusal(mcp(), mcp()) == (400, "invalid_value", "tools[1].server_label")


def test_a_label_of_the_operator_needs_no_url_and_brings_what_he_says() -> None:
    assert kept(registered()) == registered(
        server_description="Searches.",
        allowed_tools=["find", "fetch"],
        require_approval={"never": {"read_only": True}},
    )
    assert kept({"type": "mcp", "server_label": "open"})["require_approval"] == "always"


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (["find", "drop"], ["find"]),
        (["drop"], []),
        ({"read_only": True}, {"read_only": True, "tool_names": ["find", "fetch"]}),
        ({"tool_names": ["fetch", "drop"]}, {"tool_names": ["fetch"]}),
    ],
)
def test_a_request_narrows_what_the_operator_allows_and_never_widens_it(
    asked: Any, allowed: Any
) -> None:
    assert kept(registered(allowed_tools=asked))["allowed_tools"] == allowed


def test_a_url_beside_a_known_label_is_another_server() -> None:
    tool = mcp(server_label="search")
    assert kept(tool) == {**tool, "require_approval": "always"}


def test_secrets_are_sealed_for_their_server_and_stand_nowhere_else() -> None:
    event = accepted(mcp(authorization=CANARY, headers={"X-Key": f"{CANARY}-2"}))
    assert event.params["tools"] == [mcp(require_approval="always")]
    assert CANARY.encode() not in orjson.dumps([event.params, event.seals])
    purpose = Purpose.of(TENANT, RESPONSE_ID, ToolServer("tools", URL))
    opened = SEALER.open(event.seals["tools"], ToolServerSecrets, purpose, AT + 999)
    assert opened == ToolServerSecrets(CANARY, {"X-Key": f"{CANARY}-2"})
    assert CANARY not in orjson.dumps(running_response(event, None, started=True)).decode()


@pytest.mark.parametrize(("background", "lasts_ms"), [(False, 1_000), (True, 60_000)])
def test_secrets_last_as_long_as_their_turn(*, background: bool, lasts_ms: int) -> None:
    event = accepted(mcp(authorization=CANARY), background=background)
    purpose = Purpose.of(TENANT, RESPONSE_ID, ToolServer("tools", URL))
    SEALER.open(event.seals["tools"], ToolServerSecrets, purpose, AT + lasts_ms - 1)
    with pytest.raises(Exception, match="expired"):
        SEALER.open(event.seals["tools"], ToolServerSecrets, purpose, AT + lasts_ms)


def test_without_a_key_secrets_are_refused() -> None:
    rules = Rules(screen=False, prompts={}, servers=REGISTRY)
    found = refusal(mcp(authorization=CANARY), rules=rules)
    assert found == (400, "unsupported_parameter", "tools")
    assert accepted(mcp(), rules=rules).seals == {}


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ({"type": "mcp"}, "tool_choice.server_label"),
        ({"type": "mcp", "server_label": "other"}, "tool_choice.server_label"),
        ({"type": "mcp", "server_label": "tools", "name": 1}, "tool_choice.name"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
            "tool_choice.tools[0].server_label",
        ),
    ],
)
def test_a_choice_names_a_declared_server(choice: JSON, param: str) -> None:
    assert refusal(mcp(), tool_choice=choice) == (400, "invalid_value", param)
    right = {"type": "mcp", "server_label": "tools", "name": "add"}
    assert accepted(mcp(), tool_choice=right).params["tool_choice"] == right


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"approve": True}, "approval_request_id"),
        ({"approval_request_id": "mcpr_1"}, "approve"),
        ({"approval_request_id": "mcpr_1", "approve": "yes"}, "approve"),
        ({"approval_request_id": "mcpr_1", "approve": False, "reason": 7}, "reason"),
    ],
)
def test_an_answer_to_an_approval_is_checked(item: JSON, param: str) -> None:
    found = refusal(input=[{"type": "mcp_approval_response", **item}])
    assert found == (400, "invalid_value", f"input[0].{param}")


def test_an_answer_without_its_call_is_refused_where_nothing_came_before() -> None:
    output = {"type": "function_call_output", "call_id": "call_7", "output": "4"}
    call = {"type": "function_call", "call_id": "call_7", "name": "add", "arguments": "{}"}
    with pytest.raises(ApiError) as raised:
        check_pairs(accepted(input=[output]))
    failure = raised.value.failure
    assert (failure.http_status, failure.param) == (400, "input")
    assert "call_7" in failure.message
    check_pairs(accepted(input=[call, output]))
    check_pairs(accepted(input=[output], previous_response_id=f"resp_{'0' * 32}"))


def test_half_an_answer_is_refused_where_nothing_came_before() -> None:
    calls = [
        {"type": "function_call", "call_id": each, "name": "add", "arguments": "{}"}
        for each in ("call_7", "call_8")
    ]
    output = {"type": "function_call_output", "call_id": "call_7", "output": "4"}
    later = {"role": "user", "content": "And?"}
    with pytest.raises(ApiError) as raised:
        check_pairs(accepted(input=[*calls, output, later]))
    assert raised.value.failure.message == "No tool output found for function call call_8."
    check_pairs(accepted(input=[*calls, later]))


def test_a_call_of_a_hosted_tool_may_be_answered_as_a_function_is() -> None:
    call: JSON = {
        "type": "local_shell_call",
        "call_id": "call_9",
        "status": "completed",
        "action": {},
    }
    check_pairs(
        accepted(input=[call, {"type": "function_call_output", "call_id": "call_9", "output": ""}])
    )
