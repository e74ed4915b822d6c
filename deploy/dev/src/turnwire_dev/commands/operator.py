"""The operator's connection to the broker of a running Turnwire: what its commands stand on."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.settings import load
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.run_file import read_run
from turnwire_dev.settings import RunnerSettings

_OPERATOR: Final = "operator"
_CONNECT_TIMEOUT_S: Final = 5.0


class NoBrokerError(Exception):
    """There is no broker to talk to; the text says the way out."""


@asynccontextmanager
async def connected() -> AsyncGenerator[Client]:
    """Connect to the broker that the settings name, or that runs on the data folder.

    Raises `NoBrokerError`, `SettingsError`.
    """
    url = _broker_url()
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            client = await connect(url, _OPERATOR)
    except TimeoutError as error:
        raise NoBrokerError(f"The broker at {url} does not answer.") from error
    try:
        yield client
    finally:
        await client.close()


def _broker_url() -> str:
    settings = load(RunnerSettings)
    if settings.nats_url:
        return settings.nats_url
    folder = DataFolder(settings.data_dir)
    run = read_run(folder.run_file) if folder.is_held() else None
    if run is None:
        raise NoBrokerError(
            f"No Turnwire runs on {settings.data_dir}. Start it with: turnwire up, or name its "
            "broker with TURNWIRE_NATS_URL."
        )
    return run.nats_url
