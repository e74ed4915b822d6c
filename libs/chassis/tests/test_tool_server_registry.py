"""The operator's file of MCP servers: what it can say, and what is said when it is wrong."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.tool_servers.registry import (
    ApprovalFilter,
    RegisteredServer,
    ToolFilter,
    credentials,
    parse_tool_servers,
)
from turnwire_chassis.yaml_place import PlaceError

FILE = """
servers:
  search:
    url: http://search.internal:8080/mcp
    description: Searches our documents.
    authorization_env: SEARCH_TOKEN
    headers_env: { X-Tenant: SEARCH_TENANT }
    allowed_tools: [search, fetch]
    require_approval: { always: { tool_names: [fetch] }, never: { read_only: true } }
    timeout_s: 2.5
  time: { url: "https://time.example/mcp", require_approval: never }
"""
SEARCH, TIME = parse_tool_servers(FILE, "servers.yaml").values()


def complaint(text: str) -> str:
    with pytest.raises(PlaceError) as raised:
        parse_tool_servers(text, "servers.yaml")
    return str(raised.value)


def wrong(entry: str) -> str:
    """Give what is said of one key of a server, or of two."""
    return complaint(f"servers:\n  a:\n    url: http://a/\n    {entry}\n")


def test_all_that_can_be_said_of_a_server_is_read() -> None:
    expected = RegisteredServer(
        label="search",
        url="http://search.internal:8080/mcp",
        description="Searches our documents.",
        authorization_env="SEARCH_TOKEN",
        headers_env=(("X-Tenant", "SEARCH_TENANT"),),
        allowed_tools=("search", "fetch"),
        require_approval=ApprovalFilter(
            always=ToolFilter(tool_names=("fetch",)), never=ToolFilter(read_only=True)
        ),
        timeout_s=2.5,
    )
    assert expected == SEARCH


def test_what_is_not_said_is_left_to_the_request() -> None:
    expected = RegisteredServer("time", "https://time.example/mcp", require_approval="never")
    assert expected == TIME


def test_an_approval_filter_is_written_as_requests_write_it() -> None:
    assert msgspec.to_builtins(SEARCH.require_approval) == {
        "always": {"tool_names": ("fetch",)},
        "never": {"read_only": True},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "servers.yaml:1: the file is empty"),
        ("server: {}", "servers.yaml:1: server: there is no such key. Did you mean 'servers'?"),
        ("servers: []", "servers.yaml:1: servers: must be a mapping"),
        ("servers:\n  a: {}", "servers.yaml:2: servers.a: the key 'url' is missing"),
        ("servers:\n  1a: {url: http://a}", "servers.yaml:2: servers.1a: a label begins with"),
        ("servers:\n  a: {url: http://a}\n  a: {url: http://b}", "servers.a: is there twice"),
    ],
)
def test_a_file_that_is_wrong_is_told_where_and_how(text: str, said: str) -> None:
    assert said in complaint(text)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("uri: x", "servers.a.uri: there is no such key. Did you mean 'url'?"),
        ("description: 7", "servers.a.description: must be a text"),
        ("authorization_env: 'sk-live 0123'", "must be the name of an environment variable"),
        ("headers_env: { 'X Y': A }", "is no name of a header"),
        ("headers_env: { X-A: A, x-a: B }", "servers.a.headers_env.x-a: is there twice"),
        ("headers_env: { X-A: 'a-b' }", "must be the name of an environment variable"),
        ("allowed_tools: search", "servers.a.allowed_tools: must be a list"),
        ("allowed_tools: [1]", "servers.a.allowed_tools[0]: must be a text"),
        ("require_approval: sometimes", "'sometimes' is not possible"),
        ("require_approval: { alway: {} }", "Did you mean 'always'?"),
        ("require_approval: { always: {} }", "must say 'tool_names', 'read_only' or both"),
        ("require_approval: { never: { read_only: 1 } }", "must be true or false"),
        (
            "require_approval: { always: { tool_names: [x] }, never: { tool_names: [x] } }",
            "servers.a.require_approval: has 'x' both in 'always' and in 'never'",
        ),
        ("timeout_s: 0", "servers.a.timeout_s: must be a number above 0"),
        ("timeout_s: -1", "must be a number above 0"),
        ("timeout_s: '5'", "must be a number above 0"),
        ("timeout_s: .inf", "must be a number above 0"),
        ("timeout_s: 1:30", "must be a number above 0"),
        ("timeout_s: [1]", "must be a number above 0"),
    ],
)
def test_a_key_that_is_wrong_is_told_where_and_how(entry: str, said: str) -> None:
    assert wrong(entry).startswith("servers.yaml:4: servers.a.")
    assert said in wrong(entry)


def test_a_token_is_not_set_twice() -> None:
    said = wrong("authorization_env: A\n    headers_env: { authorization: B }")
    assert said == (
        "servers.yaml:5: servers.a.headers_env.authorization: "
        "is what 'authorization_env' sets: remove one of them"
    )


def test_a_secret_that_stands_where_its_variable_should_is_not_quoted() -> None:
    assert "hunter2" not in wrong("authorization_env: 'hunter2!'")
    assert "hunter2" not in wrong("headers_env: { X-Key: 'hunter2!' }")


@pytest.mark.parametrize(
    "url",
    ["mcp", "ftp://a/", "http://", "http:///mcp", "https://[::1", "http://a:99999/", "http://a:0/",
     "http://a b/", "http://u:p@a/", "http://a/#b", "stdio:run"],
)  # fmt: skip
def test_a_server_has_an_http_url_without_secrets(url: str) -> None:
    assert "servers.yaml:1: servers.a.url: must" in complaint(f"servers: {{a: {{url: '{url}'}}}}")


def test_credentials_are_read_from_the_environment() -> None:
    environ = {"SEARCH_TOKEN": "sk-1\n", "SEARCH_TENANT": "acme corp"}
    assert credentials(SEARCH, environ) == {"Authorization": "Bearer sk-1", "X-Tenant": "acme corp"}
    assert credentials(TIME, {}) == {}


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SEARCH_TENANT": "a"}, "SEARCH_TOKEN of server 'search' is not set"),
        ({"SEARCH_TENANT": "a", "SEARCH_TOKEN": " "}, "SEARCH_TOKEN of server 'search' is not set"),
        (
            {"SEARCH_TENANT": "hun\nter2", "SEARCH_TOKEN": "a"},
            "SEARCH_TENANT of server 'search' has",
        ),
    ],
)
def test_credentials_that_are_not_there_are_named_and_not_quoted(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        credentials(SEARCH, environ)
    assert "ter2" not in str(raised.value)


@given(st.text())
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    for file in (text, f"servers: {text}", f"servers: {{a: {{url: {text}}}}}"):
        try:
            parse_tool_servers(file, "servers.yaml")
        except PlaceError as error:
            assert str(error).startswith("servers.yaml:")  # noqa: PT017 -- either way is right
