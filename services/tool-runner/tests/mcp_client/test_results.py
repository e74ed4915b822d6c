"""Results as text."""

import base64

import mcp_types as types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_tool_runner.mcp_client.results import outcome
from turnwire_tool_runner.output_limit import cut

MUCH = 10_000
DATA = base64.b64encode(b"12345").decode()


def told(*content: types.ContentBlock, structured: object = None) -> str:
    result = types.CallToolResult(content=list(content), structured_content=structured)
    return outcome(result, MUCH).text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (types.TextContent(text="It rains."), "It rains."),
        (types.ImageContent(data=DATA, mime_type="image/png"), "[image/png, 5 bytes]"),
        (types.AudioContent(data=DATA, mime_type="audio/wav"), "[audio/wav, 5 bytes]"),
        (
            types.ResourceLink(name="report", uri="file:///r.pdf"),
            "[resource report: file:///r.pdf]",
        ),
        (
            types.EmbeddedResource(
                resource=types.TextResourceContents(uri="file:///a.txt", text="Hello")
            ),
            "[resource file:///a.txt]\nHello",
        ),
        (
            types.EmbeddedResource(
                resource=types.BlobResourceContents(uri="file:///a.bin", blob=DATA)
            ),
            "[resource file:///a.bin: application/octet-stream, 5 bytes]",
        ),
        (types.ImageContent(data="", mime_type="x" * 600), f"[{'x' * 499}…, 0 bytes]"),
    ],
)
def test_each_kind_of_part_is_told(part: types.ContentBlock, text: str) -> None:
    assert told(part) == text


def test_parts_stand_one_below_the_other() -> None:
    image = types.ImageContent(data=DATA, mime_type="image/png")

    assert told(types.TextContent(text="a"), image, types.TextContent(text="b")) == (
        "a\n[image/png, 5 bytes]\nb"
    )


def test_structured_content_is_told_where_there_is_no_text() -> None:
    image = types.ImageContent(data=DATA, mime_type="image/png")

    assert told(structured={"n": 1}) == '{"n":1}'
    assert told(image, structured=[1]) == "[image/png, 5 bytes]\n[1]"
    assert told(types.TextContent(text="one"), structured={"n": 1}) == "one"


def test_nothing_is_nothing() -> None:
    assert told() == ""


@given(st.text(), st.integers(1, 30))
def test_what_is_cut_is_the_beginning_and_says_how_much_is_missing(text: str, most: int) -> None:
    found = cut(text, most)
    size = len(text.encode(errors="replace"))
    if size <= most:
        assert found == text
        return
    kept, _, mark = found.rpartition("\n")
    assert text.startswith(kept)
    assert most - 3 <= len(kept.encode()) <= most
    assert mark == f"[cut here: {size - len(kept.encode())} of {size} bytes left out]"
