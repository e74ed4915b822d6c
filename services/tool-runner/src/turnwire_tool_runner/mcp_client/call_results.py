"""The result of a call in the shape that MCP demands, as far as one can be made of it. No I/O.

MCP: `CallToolResult`. Servers leave out `content` beside `structuredContent`, write null, a text or
one part in the place of a list, or parts without a type.
"""

from collections.abc import Mapping
from typing import cast

import msgspec
from mcp_types import CallToolResult
from mcp_types.methods import validate_server_result
from pydantic import ValidationError

from turnwire_contracts.json_values import JSON, mapping

_KINDS = frozenset({"text", "image", "audio", "resource", "resource_link"})
_BESIDE = ("annotations", "_meta")
_WHOLE: JSON = {"resultType": "complete"}
"""What MCP 2026 demands of every result."""
_BOOLEANS: Mapping[object, bool] = {"true": True, "false": False}
_OLD = "toolResult"
"""MCP 2024-10-07: the whole result."""


def is_plain(result: JSON) -> bool:
    """Tell whether a result is texts and no more, as most are: then nothing is to be mended."""
    content = result.get("content")
    return (
        isinstance(content, list)
        and all(map(_is_text, cast("list[object]", content)))
        and isinstance(result.get("structuredContent"), dict | None)
        and isinstance(result.get("isError", False), bool)
        and isinstance(result.get("_meta", {}), dict)
    )


def readable(result: JSON, version: str) -> JSON:
    """Give a result as MCP demands it; one that says nothing at all stays without `content`.

    `version`: the protocol that is spoken.
    """
    if result.get("resultType", "complete") != "complete" or _is_valid(result, version):
        return result
    mended = {name: value for name, value in result.items() if value is not None}
    content = mended.pop("content", mended.pop(_OLD, None))
    structured = mended.get("structuredContent")
    parts = [_part(each, version) for each in _listed(content) if each is not None]
    bare: JSON = {**_WHOLE, "content": [], "structuredContent": structured}
    if structured is not None and not _is_valid(bare, version):
        # An object is all that it may be until MCP 2026.
        del mended["structuredContent"]
        parts = parts or [_text(structured)]
    if isinstance(failed := mended.get("isError"), str):
        mended["isError"] = _BOOLEANS.get(failed.lower(), failed)
    if content is not None or structured is not None:
        mended["content"] = parts
    if not isinstance(mended.get("_meta", {}), dict):
        del mended["_meta"]
    return mended


def missing(error: ValidationError) -> str:
    """Say which field of a result is not there or cannot be read, in words that follow its name."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # Models that may be meant are named among the fields.
    fields = [str(each) for each in first["loc"] if not str(each)[:1].isupper()]
    if first["type"] == "missing":
        return f"has no `{'.'.join(fields)}`"
    return f"has a `{'.'.join(fields)}` that is not what MCP wants there"


def _is_valid(result: JSON, version: str) -> bool:
    try:
        validate_server_result("tools/call", version, result)
        # That takes almost anything for a result that asks for input.
        CallToolResult.model_validate(result, by_name=False)
    except (ValidationError, RecursionError):
        return False
    return True


def _listed(content: object) -> list[object]:
    if isinstance(content, list):
        return cast("list[object]", content)
    return [] if content is None else [content]


def _part(part: object, version: str) -> JSON:
    """Give a part as it must be; a part of an unknown kind becomes text.

    One of a known kind that lacks what it is about stays as it is.
    """
    fields = mapping(part)
    if fields.get("text") is not None and not isinstance(fields["text"], str):
        return _text(fields["text"])
    kept = {name: value for name, value in fields.items() if name not in _BESIDE}
    is_known = fields.get("type") in _KINDS
    for each in (fields, kept) if is_known else ({**kept, "type": _kind(fields)},):
        if _is_valid({**_WHOLE, "content": [each]}, version):
            return each
    return fields if is_known else _text(part)


def _kind(part: JSON) -> str | None:
    """Tell what a part is that does not say so."""
    if "text" in part:
        return "text"
    if "resource" in part:
        return "resource"
    if "uri" in part:
        return "resource_link"
    if "data" in part:
        return "audio" if str(part.get("mimeType")).startswith("audio/") else "image"
    return None


def _text(value: object) -> JSON:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return {"type": "text", "text": text}


def _is_text(part: object) -> bool:
    fields = mapping(part)
    return (
        fields.keys() == {"type", "text"}
        and fields["type"] == "text"
        and isinstance(fields["text"], str)
    )
