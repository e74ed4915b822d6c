"""Bodies as servers pack them, unpacked as they come (RFC 9110 §8.4). Pure.

What the bytes are decides, and the header only where they do not say it: proxies name an encoding
of a body that is plain.
"""

import codecs
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol, cast

import brotli  # pyright: ignore[reportMissingTypeStubs] -- has none
from aiohttp.compression_utils import BrotliDecompressor, ZLibDecompressor, ZSTDDecompressor

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError

ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})
"""Content encodings that are read."""

PLAIN: Final = frozenset({"", "identity"})
"""Those that change nothing."""

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_DEFLATE, _CHECKED_BY = 8, 31
"""RFC 1950 §2.2: the method of a zlib header, and what both its bytes are a multiple of."""

_HEAD: Final = 8
"""Bytes that tell text from what is packed."""

_BLOCK: Final = 4 * 1024 * 1024
"""Bytes that are unpacked in one go."""


_BROTLI_ERROR = cast("type[Exception]", brotli.error)  # pyright: ignore[reportUnknownMemberType]
_FAULTS: Final = (zlib.error, _BROTLI_ERROR, ZstdError, ValueError)


class UnpackingError(ValueError):
    """The bytes are not packed as was said."""


class _Decompressor(Protocol):
    def decompress_sync(self, data: bytes, max_length: int = ...) -> bytes: ...

    @property
    def data_available(self) -> bool: ...


async def unpacked(pieces: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Give a body without its encoding, as far as it comes.

    Raises `UnpackingError` where it is not packed so and is no text either.
    """
    unpacker = Unpacker(encoding)
    async for piece in pieces:
        for block in unpacker.feed(piece):
            yield block
    for block in unpacker.end():
        yield block


class Unpacker:
    """Unpacks the pieces of one body."""

    def __init__(self, encoding: str) -> None:
        """Expect one of `ENCODINGS`."""
        self._encoding = encoding
        self._head = b""
        self._is_known = False
        self._decompressor: _Decompressor | None = None

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Give what a piece completes, in blocks. Raises `UnpackingError`."""
        if self._is_known:
            yield from self._unpacked(piece)
            return
        self._head += piece
        if len(self._head) >= _HEAD:
            yield from self.end()

    def end(self) -> Iterator[bytes]:
        """Give what a body that is shorter than its head holds. Raises `UnpackingError`."""
        head, self._head = self._head, b""
        if head:
            self._decompressor, self._is_known = self._found(head), True
            yield from self._unpacked(head)

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        if self._decompressor is None:
            yield piece
            return
        try:
            block = self._decompressor.decompress_sync(piece, _BLOCK)
            while block:
                yield block
                block = self._decompressor.decompress_sync(b"", _BLOCK)
        except _FAULTS as error:
            raise UnpackingError(self._encoding) from error

    def _found(self, head: bytes) -> _Decompressor | None:
        """Give what unpacks a body that begins so; `None`: it is plain."""
        if head.startswith(_GZIP):
            return ZLibDecompressor("gzip")
        if head.startswith(_ZSTD):
            return ZSTDDecompressor()
        is_zlib = head[0] & 0xF == _DEFLATE and not int.from_bytes(head[:2]) % _CHECKED_BY
        if _is_text(head) and not (is_zlib and self._encoding == "deflate"):
            return None
        if self._encoding == "br":
            return BrotliDecompressor()
        if is_zlib or self._encoding == "deflate":
            # Some send deflate without the zlib wrapper.
            return ZLibDecompressor("deflate", suppress_deflate_header=not is_zlib)
        raise UnpackingError(self._encoding)


def _is_text(head: bytes) -> bool:
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(each.isprintable() or each.isspace() for each in text)
