"""JSON text that is not Unicode, made readable: a bad character costs itself and no more. Pure."""

import re
from typing import Final

import orjson

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

_ENCODED_SURROGATES: Final = re.compile(
    rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]|\xed[\xa0-\xbf][\x80-\xbf]"
)
"""A pair, or one half, of surrogates as bytes (CESU-8, which no UTF-8 decoder takes)."""

_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)
"""A pair of surrogates, a half, or any other escape: `\\\\ud83d` is a backslash and letters."""

_PAIR_BYTES: Final = 6


def repaired_json(data: bytes) -> bytes:
    """Give the same JSON text as UTF-8 that every JSON reader takes.

    Halves of surrogates that stand alone, escaped or as bytes, and bytes that are no UTF-8 become
    U+FFFD; halves that are a pair become one character (RFC 8259 §8.2). A byte order mark is left
    out (§8.1). All else stays as it was written. Raises `ValueError` for what is no JSON then.
    """
    text = _ENCODED_SURROGATES.sub(_decoded, data).decode("utf-8-sig", "replace").encode()
    repaired = _ESCAPES.sub(_joined, text)
    orjson.loads(repaired)
    return repaired


def _decoded(found: re.Match[bytes]) -> bytes:
    if len(found[0]) < _PAIR_BYTES:
        return _REPLACEMENT
    halves = found[0].decode("utf-8", "surrogatepass")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _joined(found: re.Match[bytes]) -> bytes:
    return found[0] if found["half"] is None else rb"\ufffd"
