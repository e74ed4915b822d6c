"""Server-sent events off the wire: bytes in as they come, the `data` of whole events out.

WHATWG "Server-sent events" §9.2.6, less what inference backends never use: `id`, `retry`, and
`event`, which only repeats the `type` inside the data.
"""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventSplitter:
    """Cuts a byte stream into events, wherever the chunks of the connection end."""

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self._rest = b""
        self._begun = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Give the data of the events that `chunk` completes."""
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
        return [data for event in events if (data := _data(event))]

    def end(self) -> list[bytes]:
        """Give what a stream that ends without its last blank line still holds."""
        data = _data(self._rest.rstrip(b"\r"))
        self._rest = b""
        return [data] if data else []


def _data(event: bytes) -> bytes:
    start = event.find(b"data:")
    if start < 0:
        return b""
    if start == 0 or event[start - 1 : start] == b"\n":
        rest = event[start + 5 :]
        if b"\n" not in rest:
            return rest.lstrip(b" ")
    lines = [
        line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")
    ]
    return b"\n".join(lines)
