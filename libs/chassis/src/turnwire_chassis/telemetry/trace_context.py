"""W3C Trace Context: the header `traceparent`, read and written. Pure."""

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

HEADER: Final = "traceparent"

_TRACEPARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE: Final = "0" * 32
_NO_SPAN: Final = "0" * 16
_SAMPLED: Final = 0x01


class TraceContext(Struct, frozen=True):
    """Where a span stands: in which trace, below which span, and whether the trace is kept."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 of them."""
    sampled: bool

    def __str__(self) -> str:
        """Write it as the header."""
        return header(self.trace_id, self.span_id, sampled=self.sampled)


def header(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """Write the header."""
    return f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


@lru_cache(maxsize=256)
def parse(written: str | None) -> TraceContext | None:
    """Read a header; `None` for one that is missing or wrong (W3C: then it is as if missing)."""
    found = _TRACEPARENT.fullmatch(written) if written else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    # Later versions may add fields; version 00 has none, and ff is none.
    if version == "ff" or (version == "00" and more) or trace_id == _NO_TRACE:
        return None
    if span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))
