"""What is left of words once they were said: in any file of the data folder, however written."""

import asyncio
import base64
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from e2e.rig.stack import Stack

FORGOTTEN_WITHIN = 60.0
KEPT_WITHIN = 30.0

_ZLIB_HEADS = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_MOST_INFLATED = 1 << 20


async def nothing_says(stack: Stack, words: str) -> None:
    """Wait until words stand in no file of the stack, the database's own included."""
    await _until(
        lambda: not places(stack, words),
        lambda: f"{words} in {places(stack, words)}",
        FORGOTTEN_WITHIN,
    )


async def somebody_says(stack: Stack, words: str) -> set[str]:
    """Wait until words stand in the log's files; gives where."""
    await _until(lambda: bool(places(stack, words)), lambda: f"{words} is not kept", KEPT_WITHIN)
    return places(stack, words)


def places(stack: Stack, words: str) -> set[str]:
    """Name the files that say these words in any of the ways in which programs write."""
    wanted = set(written(words))
    files = [path for path in stack.data.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(stack.data))
        for path in files
        if any(way in said for said in contents(path) for way in wanted)
    }


async def _until(fact: Callable[[], bool], otherwise: Callable[[], str], within: float) -> None:
    try:
        async with asyncio.timeout(within):
            while not await asyncio.to_thread(fact):  # noqa: ASYNC110 -- other processes do it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(otherwise()) from None


def written(words: str) -> Iterator[bytes]:
    """Write words in each encoding, and in base64 at each offset, without its ragged ends."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        plain = words.encode(encoding)
        yield plain
        yield plain.hex().encode()
        for offset in range(3):
            coded = base64.b64encode(b"\0" * offset + plain)
            # Whole groups of four letters that nothing but the words decides.
            first = 4 if offset else 0
            last = len(coded) - 4 if (offset + len(plain)) % 3 else len(coded)
            yield coded[first:last]
    yield "".join(f"\\u{ord(letter):04x}" for letter in words).encode()


def contents(path: Path) -> Iterator[bytes]:
    """Give a file as it is, and whatever in it was deflated."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        # A database that lives drops files.
        return
    yield raw
    for head in _ZLIB_HEADS:
        at = raw.find(head)
        while at >= 0:
            if inflated := _inflated(raw[at : at + _MOST_INFLATED]):
                yield inflated
            at = raw.find(head, at + 1)


def _inflated(block: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(block, _MOST_INFLATED)
    except zlib.error:
        return b""
