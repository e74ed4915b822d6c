"""Arguments as models write them."""

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_contracts.tools import AskForCall, ToolServer
from turnwire_tool_runner.calling.reading import call_of, is_call_id
from turnwire_tool_runner.tool_servers import ToolServerError


def question(arguments: str) -> AskForCall:
    return AskForCall(TenantId("t"), ToolServer("tools"), "mcp_1", "add", arguments, "digest")


def test_a_json_object_is_read() -> None:
    call = call_of(question(' {"a": 1, "b": [true, null, "ü"]} '), None)

    assert (call.name, call.digest) == ("add", "digest")
    assert call.arguments == {"a": 1, "b": [True, None, "ü"]}


@pytest.mark.parametrize("arguments", ["", " \n"])
def test_nothing_is_an_empty_object(arguments: str) -> None:
    assert call_of(question(arguments), None).arguments == {}


@pytest.mark.parametrize(
    "arguments",
    [
        "[]",
        "null",
        "7",
        '"{}"',
        "{",
        "{'a': 1}",
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a":' * 101 + "1" + "}" * 101,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_all_else_is_refused_before_anybody_is_asked(arguments: str) -> None:
    with pytest.raises(ToolServerError) as caught:
        call_of(question(arguments), None)

    error = caught.value
    assert (error.code, error.number, error.unsent) == ("mcp_protocol_error", -32602, True)


def test_a_tool_that_the_operator_does_not_allow_does_not_exist() -> None:
    assert call_of(question("{}"), frozenset({"add"}))
    with pytest.raises(ToolServerError) as caught:
        call_of(question("{}"), frozenset({"subtract"}))

    assert (caught.value.number, caught.value.unsent) == (-32602, True)


@pytest.mark.parametrize("text", ["", "a.b", "a b", "*", ">", "a\n", "x" * 129])
def test_an_id_that_would_be_more_than_one_word_of_a_subject_is_none(text: str) -> None:
    assert is_call_id("mcp_0Az-9")
    assert not is_call_id(text)
