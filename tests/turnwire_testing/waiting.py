"""Waiting for a fact that nobody announces: look again until it is true, or fail."""

import asyncio
from collections.abc import Awaitable, Callable

_PAUSE_S = 0.02


async def eventually(is_true: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    """Return as soon as it is true; raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while not await is_true():  # noqa: ASYNC110 -- nobody announces the fact
            await asyncio.sleep(_PAUSE_S)
