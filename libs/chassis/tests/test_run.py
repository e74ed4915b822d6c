"""A service that is told to end does, also when a library has lost that."""

import asyncio

import pytest

from turnwire_chassis import run
from turnwire_chassis.lifecycle.lifecycle import Lifecycle

WITHIN_S = 30.0


async def test_a_service_that_loses_a_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "_CANCEL_AGAIN_S", 0.01)
    lost = asyncio.Event()

    async def serve() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            lost.set()
        await asyncio.Event().wait()

    serving = asyncio.ensure_future(serve())
    await asyncio.sleep(0)
    run._End(serving, Lifecycle(), 0).begin()  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(asyncio.CancelledError):
            await serving
    assert lost.is_set()
