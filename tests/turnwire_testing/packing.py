"""Packs bodies as servers and proxies do, by the name of the content encoding."""

import gzip
import zlib
from collections.abc import Callable, Mapping
from typing import cast

import brotli  # pyright: ignore[reportMissingTypeStubs] -- it has none
import zstandard

PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: cast("bytes", brotli.compress(body)),  # pyright: ignore[reportUnknownMemberType]
    "zstd": zstandard.compress,
}
