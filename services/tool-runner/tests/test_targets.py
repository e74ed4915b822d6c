"""What stands behind a server that is asked for."""

from dataclasses import replace

import pytest

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.tool_servers.registry import RegisteredServer, Registry
from turnwire_chassis.tool_servers.secret_envelope import Purpose, Sealer, ToolServerSecrets
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.tools import AskForTools, ToolServer
from turnwire_tool_runner.targets import KnownTargets
from turnwire_tool_runner.tool_servers import Target, ToolServerError

NOW_MS = 1_000_000
SEALER = Sealer([b"k" * 32])
TENANT, TURN = TenantId("acme"), ResponseId("resp_1")
URL = "https://tools.example/mcp"
SEARCH = RegisteredServer(
    label="search",
    url="http://search.internal/mcp",
    authorization_env="SEARCH_TOKEN",
    headers_env=(("X-Tenant", "SEARCH_TENANT"),),
    allowed_tools=("find",),
    timeout_s=7,
)
ENVIRON = {"SEARCH_TOKEN": "operators-token", "SEARCH_TENANT": "us"}


def targets(sealer: Sealer | None = SEALER) -> KnownTargets:
    known: Registry = {"search": SEARCH}
    return KnownTargets(known, ENVIRON, sealer, lambda: NOW_MS)


def asking(
    server: ToolServer, secrets: ToolServerSecrets | None = None, until_ms: int = NOW_MS + 1
) -> AskForTools:
    if secrets is not None:
        sealed = SEALER.seal(secrets, Purpose.of(TENANT, TURN, server), until_ms)
        server = ToolServer(server.label, server.url, sealed)
    return AskForTools(TENANT, server, response_id=TURN)


def code_of(question: AskForTools, known: KnownTargets) -> str:
    with pytest.raises(ToolServerError) as caught:
        known.find(question)
    assert caught.value.unsent
    return caught.value.code


def test_a_url_without_secrets_is_all_there_is() -> None:
    assert targets(None).find(asking(ToolServer("a", URL))) == Target(URL)


def test_authorization_becomes_a_bearer_token_and_headers_stay() -> None:
    secrets = ToolServerSecrets("s3cret-token", {"X-Key": "another-secret", "Cookie": "a=b"})

    found = targets().find(asking(ToolServer("a", URL), secrets))

    assert found.headers == (
        ("authorization", "Bearer s3cret-token"),
        ("cookie", "a=b"),
        ("x-key", "another-secret"),
    )
    assert set(found.secrets) == {"Bearer s3cret-token", "s3cret-token", "another-secret"}
    assert not found.is_operators
    assert "s3cret" not in repr(found)


def test_a_token_that_says_what_it_is_is_not_told_twice() -> None:
    found = targets().find(asking(ToolServer("a", URL), ToolServerSecrets("bearer token-1")))

    assert found.headers == (("authorization", "bearer token-1"),)


def test_headers_of_the_connection_and_the_protocol_are_left_out() -> None:
    names = [
        "Host", "Content-Length", "Connection", "Transfer-Encoding", "Keep-Alive", "TE", "Upgrade",
        "Proxy-Authorization", "Accept", "Accept-Encoding", "Content-Type", "Mcp-Session-Id",
        "MCP-Protocol-Version", "Last-Event-ID", "Expect",
    ]  # fmt: skip
    secrets = ToolServerSecrets(None, dict.fromkeys(names, "x"))

    assert targets().find(asking(ToolServer("a", URL), secrets)).headers == ()


@pytest.mark.parametrize(
    "secrets",
    [
        ToolServerSecrets("a\r\nX-Evil: 1"),
        ToolServerSecrets(None, {"X-Key": "a\nb"}),
        ToolServerSecrets(None, {"X-Key": "ü"}),
        ToolServerSecrets(None, {"X Key": "a"}),
        ToolServerSecrets(None, {"": "a"}),
        ToolServerSecrets(None, {"X-Key": " a"}),
    ],
)
def test_what_cannot_stand_in_a_header_is_refused(secrets: ToolServerSecrets) -> None:
    assert code_of(asking(ToolServer("a", URL), secrets), targets()) == "invalid_server_credentials"


def test_a_label_alone_names_a_server_of_the_operator() -> None:
    found = targets().find(asking(ToolServer("search")))

    assert found == Target(
        SEARCH.url,
        (("authorization", "Bearer operators-token"), ("x-tenant", "us")),
        ("Bearer operators-token", "operators-token"),
        is_operators=True,
        allowed=frozenset({"find"}),
        timeout_s=7,
    )


def test_no_request_replaces_what_the_operator_says() -> None:
    secrets = ToolServerSecrets("mine-my-own", {"X-Tenant": "them", "X-More": "1"})

    found = targets().find(asking(ToolServer("search"), secrets))

    assert found.headers == (
        ("authorization", "Bearer operators-token"),
        ("x-more", "1"),
        ("x-tenant", "us"),
    )


def test_a_url_does_not_get_the_operators_secrets_by_taking_the_label() -> None:
    assert targets().find(asking(ToolServer("search", URL))) == Target(URL)


def test_a_label_that_nobody_knows_is_refused() -> None:
    assert code_of(asking(ToolServer("nothing")), targets()) == "unknown_tool_server"


def test_secrets_open_for_their_own_turn_server_and_time_only() -> None:
    server = ToolServer("a", URL)
    good = asking(server, ToolServerSecrets("token"))
    late = asking(server, ToolServerSecrets("token"), until_ms=NOW_MS)
    elsewhere = AskForTools(
        TENANT, ToolServer("a", "https://evil.example/mcp", good.server.sealed), response_id=TURN
    )
    other_turn = AskForTools(TENANT, good.server, response_id=ResponseId("resp_2"))

    assert targets().find(good).headers
    for question in (late, elsewhere, other_turn):
        assert code_of(question, targets()) == "invalid_server_credentials"
    assert code_of(good, targets(None)) == "invalid_server_credentials"


def test_a_secret_of_the_operator_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="SEARCH_TENANT"):
        KnownTargets({"search": SEARCH}, {}, None, lambda: NOW_MS)


def test_targets_with_other_secrets_are_others() -> None:
    target = Target(URL, (("authorization", "a"),))

    assert target == replace(target)
    assert target != replace(target, headers=(("authorization", "b"),))
