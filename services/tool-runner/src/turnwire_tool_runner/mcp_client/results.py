"""A result as text: what a model is shown of it. No I/O."""

import msgspec
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from turnwire_tool_runner.mcp_client.cleaning import clean
from turnwire_tool_runner.output_limit import cut
from turnwire_tool_runner.tool_servers import ToolOutcome

_MAX_NAME = 500


def outcome(result: CallToolResult, most_bytes: int) -> ToolOutcome:
    """Give the parts one below the other, cut at `most_bytes`."""
    parts = [_told(part) for part in result.content]
    has_text = any(isinstance(part, TextContent) and part.text for part in result.content)
    if result.structured_content is not None and not has_text:
        parts.append(msgspec.json.encode(result.structured_content).decode())
    text = "\n".join(parts)
    kept = cut(text, most_bytes)
    return ToolOutcome(kept, is_error=result.is_error, is_truncated=kept != text)


def _told(part: ContentBlock) -> str:
    match part:
        case TextContent():
            return part.text
        case ImageContent() | AudioContent():
            return f"[{_name(part.mime_type)}, {_size(part.data)} bytes]"
        case ResourceLink():
            return f"[resource {_name(part.name)}: {_name(str(part.uri))}]"
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return f"[resource {_name(str(resource.uri))}]\n{resource.text}"
        case EmbeddedResource(resource=BlobResourceContents() as resource):
            kind = _name(resource.mime_type or "application/octet-stream")
            return f"[resource {_name(str(resource.uri))}: {kind}, {_size(resource.blob)} bytes]"
        case EmbeddedResource():
            return "[resource]"


def _name(text: str) -> str:
    return clean(text, _MAX_NAME)


def _size(base64: str) -> int:
    """How many bytes this stands for."""
    return len(base64) * 3 // 4 - base64[-2:].count("=")
