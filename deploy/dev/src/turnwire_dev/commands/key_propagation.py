"""Waits until a new key is known to the gateways, which hear of it from the broker."""

import asyncio
from contextlib import suppress

from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.run_file import read_run
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.probe import NoAnswerError, get

_UNAUTHORIZED = 401
_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.05


async def until_taken(key: str, settings: RunnerSettings) -> None:
    """Wait until the gateways that run on the data folder take a key; three seconds at most.

    Where none runs there is nothing to wait for: others hear of the key from the broker.
    """
    folder = DataFolder(settings.data_dir)
    run = read_run(folder.run_file) if folder.is_held() else None
    if run is None:
        return
    with suppress(NoAnswerError, TimeoutError):
        async with asyncio.timeout(_WITHIN_S):
            await _taken(f"{run.url}/v1/responses/any", key)


async def _taken(url: str, key: str) -> None:
    while await _status(url, key) == _UNAUTHORIZED:  # noqa: ASYNC110 - another process sets no event
        await asyncio.sleep(_LOOK_EVERY_S)


async def _status(url: str, key: str) -> int:
    return (await get(url, {"authorization": f"Bearer {key}"})).status
