"""What is answered: kinds of errors, sizes, and what must not be seen."""

import msgspec
import pytest

from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST, Called, CallError, Tool, Tools
from turnwire_tool_runner.answers import called, fitting, redacted, refusal, uncalled
from turnwire_tool_runner.tool_servers import Code, ToolOutcome, ToolServerError


def test_what_a_tool_says_is_the_output_and_why_it_failed_is_the_error() -> None:
    assert called(ToolOutcome("7", is_truncated=True)) == Called(output="7", truncated=True)
    assert called(ToolOutcome("No.", is_error=True)) == Called(
        error=CallError("mcp_tool_execution_error", "No.")
    )
    assert called(ToolOutcome("", is_error=True)).error == CallError(
        "mcp_tool_execution_error", "The tool failed and did not say why."
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("mcp_http_error", "http_error"),
        ("mcp_timeout", "http_error"),
        ("mcp_unreachable", "http_error"),
        ("mcp_protocol_error", "mcp_protocol_error"),
        ("cancelled", "mcp_protocol_error"),
    ],
)
def test_a_server_that_fails_makes_a_failed_call(code: Code, kind: str) -> None:
    error = ToolServerError(code, "No.", number=7, unsent=True)

    found = uncalled(error, "tools")

    assert isinstance(found, Called)
    assert found.error
    assert (found.error.type, found.error.message) == (kind, "No.")
    assert (found.error.code, found.error.unsent) == (7, True)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("tool_busy", 429, "rate_limit_error"),
        ("tool_changed", 409, "invalid_request_error"),
        ("invalid_server_url", 400, "invalid_request_error"),
        ("invalid_server_credentials", 400, "invalid_request_error"),
        ("unknown_tool_server", 400, "invalid_request_error"),
    ],
)
def test_what_is_no_answer_of_a_server_is_a_refusal(code: Code, status: int, kind: str) -> None:
    found = uncalled(ToolServerError(code, "No."), "tools")

    assert isinstance(found, Refusal)
    assert (found.failure.http_status, found.failure.type) == (status, kind)
    assert (found.failure.code, found.failure.message) == (code, "MCP server 'tools': No.")


@pytest.mark.parametrize("text", ["x" * 5000, "\x01" * 5000, "ü" * 5000, '"' * 5000])
def test_an_answer_is_cut_until_the_broker_carries_it(text: str) -> None:
    for answer in (Called(output=text), Called(error=CallError("http_error", text))):
        encoded = fitting(answer, 2000)

        found = TOOLS_CALL.decode_answer(encoded)
        assert len(encoded) <= 2000
        assert isinstance(found, Called)
        assert found.truncated
        told = found.output or (found.error and found.error.message) or ""
        assert told.endswith(f"of {len(text.encode())} bytes left out]")


def test_what_fits_stays_as_it_is() -> None:
    answer = Called(output="x" * 500)

    assert TOOLS_CALL.decode_answer(fitting(answer, 2000)) == answer


def test_secrets_are_left_out_wherever_a_server_shows_them() -> None:
    secret = 'Bearer s3cr"et-\\token'  # noqa: S105 -- an example
    answer = TOOLS_LIST.encode_answer(
        Tools([Tool("a", {"default": [secret]}, f"Your token is {secret}.", {"title": secret})])
    )

    found = redacted(TOOLS_LIST, answer, [secret])

    assert b"s3cr" not in found
    assert TOOLS_LIST.decode_answer(found) == Tools(
        [
            Tool(
                "a", {"default": ["[redacted]"]}, "Your token is [redacted].",
                {"title": "[redacted]"},
            )
        ]
    )  # fmt: skip


def test_a_secret_that_is_a_word_of_every_answer_spoils_none() -> None:
    answer = TOOLS_CALL.encode_answer(Called(output="x", truncated=True))

    found = TOOLS_CALL.decode_answer(redacted(TOOLS_CALL, answer, ["truncated", "Called"]))

    assert isinstance(found, Refusal | Called)


def test_a_refusal_tells_a_client_what_openai_would() -> None:
    found = refusal(ToolServerError("mcp_timeout", "It did not answer within 3 s."), "weather")

    assert msgspec.to_builtins(found.failure)["message"] == (
        "Error retrieving tool list from MCP server 'weather'. It did not answer within 3 s."
    )
    assert (found.failure.http_status, found.failure.type) == (424, "external_connector_error")
