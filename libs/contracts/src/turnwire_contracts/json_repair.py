"""JSON text that is not Unicode, made readable: a bad character costs itself and no more. Pure."""

import codecs
import re
from typing import Final

import orjson

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

_LONE_BYTES: Final = re.compile(
    rb"\xed[\xa0-\xaf][\x80-\xbf](?!\xed[\xb0-\xbf][\x80-\xbf])"
    rb"|(?<!\xed[\xa0-\xaf][\x80-\xbf])\xed[\xb0-\xbf][\x80-\xbf]"
)
"""Half of a surrogate pair as bytes, without the other half; a pair of them is CESU-8."""

_LONE_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
"""The same as an escape, where every backslash begins one."""

_BACKSLASH: Final = rb"\\"
_NO_TEXT: Final = b"\xff\xff"
"""Stands for an escaped backslash meanwhile: `\\\\ud83d` is no escape, and no UTF-8 has a 0xFF."""


def repaired_json(data: bytes) -> bytes:
    """Give the same JSON text as UTF-8 that every JSON reader takes.

    Halves of surrogates that stand alone, escaped or as bytes, and bytes that are no UTF-8 become
    U+FFFD; halves that are a pair become one character (RFC 8259 §8.2). A byte order mark is left
    out (§8.1). All else stays as it was written. Raises `ValueError` for what is no JSON then.
    """
    text = _decoded(data).encode().replace(_BACKSLASH, _NO_TEXT)
    repaired = _LONE_ESCAPE.sub(rb"\\ufffd", text).replace(_NO_TEXT, _BACKSLASH)
    orjson.loads(repaired)
    return repaired


def _decoded(data: bytes) -> str:
    paired = _LONE_BYTES.sub(_REPLACEMENT, data.removeprefix(codecs.BOM_UTF8))
    try:
        halves = paired.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return paired.decode("utf-8", "replace")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16")
