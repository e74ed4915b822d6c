"""Bodies that a client has compressed (`Content-Encoding`), inflated within limits. Pure."""

import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SUPPORTED: Final = ("gzip", "deflate", "zstd")
MOST_CODINGS: Final = 4

_NAMES: Final = {**{name: name for name in SUPPORTED}, "x-gzip": "gzip"}
"""RFC 9110 §8.4.1.3: `x-gzip` is `gzip`."""

_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15
_ZSTD_OPTIONS: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}
"""RFC 9659: a window of 8 MB at most."""

_MOST_MEMBERS: Final = 256


class UnknownCodingError(Exception):
    """A coding that is not known; the text names it."""


class BrokenBodyError(Exception):
    """What a coding made cannot be read; the text says why."""


class TooLargeBodyError(Exception):
    """More comes out than is allowed."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def codings_in(headers: Sequence[str]) -> tuple[str, ...]:
    """Read the values of `Content-Encoding`, in the order in which the codings were applied.

    Raises `UnknownCodingError`, and `BrokenBodyError` for too many of them.
    """
    named = [each.strip().lower() for value in headers for each in value.split(",")]
    given = [name for name in named if name not in ("", "identity")]
    if unknown := [name for name in given if name not in _NAMES]:
        raise UnknownCodingError(unknown[0])
    if len(given) > MOST_CODINGS:
        raise BrokenBodyError(f"{len(given)} codings are more than {MOST_CODINGS}")
    return tuple(_NAMES[name] for name in given)


def decoded(body: bytes, codings: Iterable[str], limit: int) -> bytes:
    """Undo the codings. Raises `BrokenBodyError`; `TooLargeBodyError` above `limit` bytes."""
    for coding in reversed(tuple(codings)):
        try:
            body = _undone(body, coding, limit)
        except (zlib.error, zstd.ZstdError) as error:
            raise BrokenBodyError(f"it is no {coding}: {error}") from error
    return body


def _undone(body: bytes, coding: str, limit: int) -> bytes:
    match coding:
        case "gzip":
            return _inflated(body, lambda: zlib.decompressobj(_GZIP), limit)
        case "zstd":
            return _inflated(body, lambda: zstd.ZstdDecompressor(options=_ZSTD_OPTIONS), limit)
        case _:
            try:
                return _inflated(body, lambda: zlib.decompressobj(_ZLIB), limit)
            except zlib.error:
                # RFC 9110 §8.4.1.2: some send it without the zlib wrapper.
                return _inflated(body, lambda: zlib.decompressobj(_RAW), limit)


def _inflated(data: bytes, begin: Callable[[], _Decompressor], limit: int) -> bytes:
    """Inflate one member after the other."""
    found = bytearray()
    for _ in range(_MOST_MEMBERS):
        member = begin()
        found += member.decompress(data, limit + 1 - len(found))
        if len(found) > limit:
            raise TooLargeBodyError
        if not member.eof:
            raise BrokenBodyError("it is cut off")
        data = member.unused_data
        if not data.strip(b"\0"):
            return bytes(found)
    raise BrokenBodyError(f"it has more than {_MOST_MEMBERS} members")
