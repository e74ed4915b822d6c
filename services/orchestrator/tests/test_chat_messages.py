"""Items as messages: one table, item by item and in the orders in which they follow one another."""

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.prompting.chat_content import UnsayableError
from turnwire_orchestrator.prompting.chat_messages import chat_messages
from turnwire_orchestrator.prompting.cleaning import cleaned
from turnwire_orchestrator.prompting.client_tools import AS_THEY_ARE, function_items
from turnwire_orchestrator.prompting.dialect import Dialect

IMAGE: JSON = {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"}
IMAGE_URL: JSON = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64,AA", "detail": "low"},
}
FILE: JSON = {"type": "input_file", "file_data": "data:text/plain;base64,AA", "filename": "a.txt"}


def says(role: str, *content: str | JSON) -> Item:
    """A message; texts become parts."""
    plain = "output_text" if role == "assistant" else "input_text"
    parts = [{"type": plain, "text": part} if isinstance(part, str) else part for part in content]
    return {"type": "message", "role": role, "content": parts}


def calls(call_id: str, name: str = "add", arguments: str = '{"a":1}') -> Item:
    """A function call."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def gave(call_id: str, output: str | list[JSON]) -> Item:
    """The output of a call."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def thinks(text: str) -> Item:
    """What the model thought."""
    return {"type": "reasoning", "content": [{"type": "reasoning_text", "text": text}]}


def called(call_id: str, name: str = "add", arguments: str = '{"a":1}') -> JSON:
    """A call inside a message."""
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def told(
    *items: Item, instructions: str | None = None, dialect: Dialect = Dialect.PLAIN
) -> list[JSON]:
    """Give the messages of items that were cleaned as they are for every backend."""
    clean = [item for each in items if (item := cleaned(each)) is not None]
    return chat_messages(function_items(clean, AS_THEY_ARE), instructions, dialect)


TABLE: dict[str, tuple[list[Item], list[JSON]]] = {
    "a text": ([says("user", "Hi")], [{"role": "user", "content": "Hi"}]),
    "texts": ([says("user", "a", "b")], [{"role": "user", "content": "a\nb"}]),
    "an image": (
        [says("user", "What?", IMAGE)],
        [{"role": "user", "content": [{"type": "text", "text": "What?"}, IMAGE_URL]}],
    ),
    "an image without detail": (
        [says("user", {"type": "input_image", "image_url": "https://x/y.png"})],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
            }
        ],
    ),
    "a file": (
        [says("user", FILE)],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"file_data": "data:text/plain;base64,AA", "filename": "a.txt"},
                    }
                ],
            }
        ],
    ),
    "a file by id": (
        [says("user", {"type": "input_file", "file_id": "file_1"})],
        [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]}],
    ),
    "sound": (
        [says("user", {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}})],
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
                ],
            }
        ],
    ),
    "rules wherever they stand": (
        [says("system", "Be kind."), says("user", "Hi"), says("developer", "Be brief.")],
        [
            {"role": "system", "content": "Be kind.\n\nBe brief."},
            {"role": "user", "content": "Hi"},
        ],
    ),
    "an answer": (
        [says("user", "Hi"), says("assistant", "Hello."), says("user", "Bye")],
        [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "Bye"},
        ],
    ),
    "a refusal": (
        [says("assistant", {"type": "refusal", "refusal": "No."})],
        [{"role": "assistant", "content": "No."}],
    ),
    "answers in a row": (
        [says("assistant", "a"), says("assistant", "b")],
        [{"role": "assistant", "content": "a\nb"}],
    ),
    "a call and its output": (
        [calls("c"), gave("c", "3")],
        [
            {"role": "assistant", "content": None, "tool_calls": [called("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "3"},
        ],
    ),
    "words and calls are one message": (
        [says("assistant", "Let me see."), calls("c"), calls("d"), gave("c", "3"), gave("d", "4")],
        [
            {
                "role": "assistant",
                "content": "Let me see.",
                "tool_calls": [called("c"), called("d")],
            },
            {"role": "tool", "tool_call_id": "c", "content": "3"},
            {"role": "tool", "tool_call_id": "d", "content": "4"},
        ],
    ),
    "words between a call and its output": (
        [calls("c"), says("assistant", "Wait."), gave("c", "3")],
        [
            {"role": "assistant", "content": "Wait.", "tool_calls": [called("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "3"},
        ],
    ),
    "one call after the other": (
        [calls("c"), gave("c", "3"), calls("d"), gave("d", "4")],
        [
            {"role": "assistant", "content": None, "tool_calls": [called("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "3"},
            {"role": "assistant", "content": None, "tool_calls": [called("d")]},
            {"role": "tool", "tool_call_id": "d", "content": "4"},
        ],
    ),
    "an output in parts": (
        [
            calls("c"),
            gave("c", [{"type": "input_text", "text": "3"}, {"type": "input_text", "text": "4"}]),
        ],
        [
            {"role": "assistant", "content": None, "tool_calls": [called("c")]},
            {"role": "tool", "tool_call_id": "c", "content": "3\n4"},
        ],
    ),
    "images of tools come after all outputs": (
        [
            calls("c"),
            calls("d"),
            gave("c", [{"type": "input_text", "text": "see"}, IMAGE]),
            gave("d", "4"),
            says("user", "And?"),
        ],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [called("c"), called("d")],
            },
            {"role": "tool", "tool_call_id": "c", "content": "see"},
            {"role": "tool", "tool_call_id": "d", "content": "4"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What the call c gave besides text:"},
                    IMAGE_URL,
                ],
            },
            {"role": "user", "content": "And?"},
        ],
    ),
    "a custom call": (
        [
            {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "a"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "done"},
        ],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [called("c", "patch", '{"input":"a"}')],
            },
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ],
    ),
    "what only Responses know": (
        [
            says("user", "Hi"),
            {"type": "local_shell_call", "call_id": "c", "action": {}},
            gave("c", "what Codex says of it"),
            {"type": "compaction", "encrypted_content": "theirs"},
            {"type": "compaction_trigger"},
            {"type": "configuration_update"},
            {"type": "additional_tools", "role": "developer", "tools": []},
            {"type": "web_search_call", "id": "ws_1"},
        ],
        [{"role": "user", "content": "Hi"}],
    ),
}


@pytest.mark.parametrize(("items", "messages"), TABLE.values(), ids=list(TABLE))
def test_items_are_told_like_this(items: list[Item], messages: list[JSON]) -> None:
    assert told(*items) == messages


def test_instructions_come_before_all_other_rules() -> None:
    messages = told(says("system", "Be kind."), says("user", "Hi"), instructions="Be brief.")
    assert messages[0] == {"role": "system", "content": "Be brief.\n\nBe kind."}
    assert told(says("user", "Hi"), instructions="")[0]["role"] == "user"


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        (Dialect.PLAIN, {}),
        (Dialect.OPENAI, {}),
        (Dialect.LLAMA_CPP, {"reasoning_content": "hm"}),
        (Dialect.SGLANG, {"reasoning_content": "hm"}),
        (Dialect.OLLAMA, {"reasoning": "hm"}),
        (Dialect.VLLM, {"reasoning": "hm", "reasoning_content": "hm"}),
    ],
)
def test_thoughts_are_told_where_they_are_understood(dialect: Dialect, fields: JSON) -> None:
    _, message = told(says("user", "Hi"), thinks("hm"), says("assistant", "a"), dialect=dialect)
    assert message == {"role": "assistant", "content": "a", **fields}


def test_thoughts_belong_to_the_call_that_came_of_them() -> None:
    messages = told(
        thinks("one"), calls("c"), gave("c", "3"), thinks("two"), says("assistant", "a"),
        dialect=Dialect.LLAMA_CPP,
    )  # fmt: skip
    assert [message.get("reasoning_content") for message in messages] == ["one", None, "two"]


def test_thoughts_that_came_to_nothing_are_not_told() -> None:
    lost = told(
        thinks("one"), says("user", "Hi"), says("assistant", "a"), dialect=Dialect.LLAMA_CPP
    )
    assert "reasoning_content" not in str(lost)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
        {"type": "input_file"},
    ],
)
def test_what_cannot_be_said_is_refused(part: JSON) -> None:
    with pytest.raises(UnsayableError):
        told(says("user", part))
    with pytest.raises(UnsayableError):
        told(calls("c"), gave("c", [part]))
