"""What a server sends as text that every JSON reader takes: a bad character costs itself alone.

MCP: messages are JSON in UTF-8, and the SDK refuses a whole message for half of a surrogate pair.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from turnwire_contracts.json_repair import repaired_json

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_DATA: Final = b"data:"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


async def repaired_body(parts: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Give a body that is one JSON text, which is read as a whole anyway."""
    yield _repaired(b"".join([part async for part in parts]))


async def repaired_events(parts: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Give a stream of events line by line; a line is passed on when it is whole.

    Bytes that are no UTF-8 are replaced where the stream is decoded. JSON that is written on
    several lines stays as it is.
    """
    begun: list[bytes] = []
    async for part in parts:
        ends = max(part.rfind(b"\n"), part.rfind(b"\r")) + 1
        if not ends:
            begun.append(part)
            continue
        whole = b"".join([*begun, part[:ends]])
        begun = [part[ends:]]
        yield whole if _SURROGATE.search(whole) is None else _repaired_lines(whole)
    if rest := b"".join(begun):
        yield rest


def _repaired_lines(lines: bytes) -> bytes:
    at, repaired = 0, bytearray()
    for end in _LINE_END.finditer(lines):
        line = lines[at : end.start()]
        if line.startswith(_DATA):
            line = _DATA + _repaired(line.removeprefix(_DATA))
        repaired += line + end[0]
        at = end.end()
    return bytes(repaired)


def _repaired(text: bytes) -> bytes:
    if not _is_doubtful(text):
        return text
    try:
        return repaired_json(text)
    except ValueError:
        return text


def _is_doubtful(text: bytes) -> bool:
    if _SURROGATE.search(text) is not None or text.startswith(_BYTE_ORDER_MARK):
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False
