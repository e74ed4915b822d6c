"""Server-sent events off the wire: bytes in as they come, the `data` of whole events out.

WHATWG "Server-sent events" §9.2.6, less what inference backends never use: `id` and `retry`. What
no reader could make sense of is put right here: a `type` that stands in the `event:` line only, and
errors beside the grammar (`event: error` with any body, lines `error: …`, JSON without `data:`,
a text or a page of HTML in the middle of the stream).
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from turnwire_contracts.json_values import JSON, mapping
from turnwire_orchestrator.inference.errors import is_error_name

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_LONGEST_EVENT: Final = 64 * 1024 * 1024
"""Bytes that may come before an event ends; what is more is no event."""

_LONGEST_STRAY: Final = 8 * 1024
"""Bytes that are kept of what stands outside of events."""

_FIELDS: Final = (b"data:", b"event:", b"id:", b"retry:")
_FIELD: Final = re.compile(rb"(?:data|event|id|retry)$|[\w-]*:")
"""A line of the grammar: a comment, or a field, also one that is not known."""

_ERRORS: Final = (b"rror", b"xception", b"ailure", b"fail", b"failed")
"""How the names of events end that may be errors."""

_HEARTBEATS: Final = frozenset({b"ping", b"keep-alive", b"keepalive", b"heartbeat"})


class EventSplitter:
    """Cuts a byte stream into events, wherever the chunks of the connection end."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._stray = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the data of the events that `chunk` completes.

        Raises `ValueError` when an event is longer than any can be.
        """
        text = self._rest + chunk if self._rest else chunk
        if not self._begun and len(text) >= len(_BYTE_ORDER_MARK):
            self._begun = True
            text = text.removeprefix(_BYTE_ORDER_MARK)
        if b"\r" in text:
            # A chunk may end inside a CR LF: keep a lone CR until its LF is here.
            held = text[-1:] if text.endswith(b"\r") else b""
            text = (
                text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + held
            )
        *events, self._rest = text.split(b"\n\n")
        if len(self._rest) > _LONGEST_EVENT:
            raise ValueError(f"an event of more than {_LONGEST_EVENT} bytes")
        found: list[bytes] = []
        for event in events:
            # Nearly every event there is: one line, or two of which the first repeats the type.
            if event.startswith(b"data: {") and b"\n" not in event:
                found.append(event[6:])
            elif (data := _repeated(event)) is not None:
                found.append(data)
            else:
                found.extend(self._parsed(event))
        return found

    def end(self) -> list[bytes]:
        """Give what a stream that ends without its last blank line still holds.

        What stood outside of events comes last, as an error: it is why the stream ended, if
        nothing else is.
        """
        rest, self._rest = self._rest.rstrip(b"\r"), b""
        last = rest.rpartition(b"\n")[2]
        if any(field.startswith(last) for field in _FIELDS):
            # A stream that broke off there says nothing by it.
            rest = rest[: len(rest) - len(last)]
        return [*self._parsed(rest), *self.stray()]

    def stray(self) -> list[bytes]:
        """Give what has stood outside of events up to now, as an error."""
        text, self._stray = self._stray.strip(), b""
        return [_error(text.decode(errors="replace"))] if text else []

    def _parsed(self, event: bytes) -> Iterator[bytes]:
        """Read an event line by line."""
        name, data, errors, stray = b"", list[bytes](), list[bytes](), list[bytes]()
        for line in event.split(b"\n"):
            field, colon, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                data.append(value)
            elif field == b"event":
                name = value.strip()
            elif colon and field.lower().endswith(b"error"):
                errors.append(value if field.lower() == b"error" else line)
            elif line and not _FIELD.match(line):
                stray.append(line)
        if data:
            yield from _told(name, b"\n".join(data))
        if errors:
            yield _error(_json(b"\n".join(errors)))
        yield from self._without_field(stray)

    def _without_field(self, lines: list[bytes]) -> Iterator[bytes]:
        """Read lines that lack a field: JSON is data, everything else is kept for the end."""
        whole = b"\n".join(lines)
        parts = [whole] if isinstance(_json(whole), dict) else lines
        for part in parts:
            if isinstance(_json(part), dict):
                yield part
            else:
                self._stray = (self._stray + part + b"\n")[:_LONGEST_STRAY]


def _repeated(event: bytes) -> bytes | None:
    """Give the data of an event that is its name and one line of data which has a type, too."""
    cut = event.find(b"\ndata: {")
    if cut < 0 or event.find(b"\n", cut + 1) >= 0 or event.endswith(_ERRORS, 0, cut):
        return None
    if event.startswith(b'"type"', cut + 8) or b'"%b"' % event[7:cut] in event:
        return event[cut + 7 :] if event.startswith(b"event: ") else None
    return None


def _told(name: bytes, data: bytes) -> Iterator[bytes]:
    """Give the data of an event as readers know it."""
    text = data.strip()
    if not text or text in _HEARTBEATS or text == b"[DONE]":
        yield from [text] if text == b"[DONE]" else []
        return
    is_error = is_error_name(name.decode(errors="replace")) and not name.startswith(b"response.")
    if text.startswith(b"{") and not is_error and (not name or b'"%b"' % name in text):
        yield data
        return
    said = _json(text)
    if is_error:
        body = mapping(said)
        yield text if body.get("type") == "error" and "error" in body else _error(said)
    elif isinstance(said, dict):
        typed = b'{"type":%b%b' % (
            orjson.dumps(name.decode(errors="replace")),
            b"," * bool(mapping(said)),
        )
        yield text if "type" in said or not name else typed + text[1:]
    elif isinstance(said, str) and not text.startswith(b"{"):
        yield _error(said)
    else:
        yield data


def _error(said: Any) -> bytes:
    """Write an error as every reader knows it."""
    nested: JSON = mapping(said)
    return orjson.dumps({"type": "error", "error": nested.get("error") or said})


def _json(text: bytes) -> Any:
    """Read JSON; a text that is none is given as a text."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode(errors="replace")
