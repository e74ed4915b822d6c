"""The operator's connection to the broker, for the commands that need it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.topology import create_missing
from turnwire_chassis.settings import load
from turnwire_dev.components.nats import running_nats
from turnwire_dev.components.nats_security import LogKeyError, secure
from turnwire_dev.instance.disk import NoRoomError, require_room
from turnwire_dev.instance.folder import DataFolder, FolderInUseError
from turnwire_dev.instance.run_file import Run, read_run
from turnwire_dev.settings import RunnerSettings

_CONNECT_TIMEOUT_S: Final = 5.0
_STARTS_WITHIN_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.05


class NoBrokerError(Exception):
    """There is no broker to talk to; the text says the way out."""


@asynccontextmanager
async def connected() -> AsyncGenerator[Client]:
    """Connect to the broker that the settings name, or that runs on the data folder.

    Raises `NoBrokerError`, `SettingsError`.
    """
    settings = load(RunnerSettings)
    if settings.nats_url:
        url, access = settings.nats_url, settings.broker_access
    else:
        folder = DataFolder(settings.data_dir)
        run = run_here(folder)
        if run is None:
            raise NoBrokerError(
                f"No Turnwire runs on {settings.data_dir}. Start it with: turnwire up, or name its "
                "broker with TURNWIRE_NATS_URL."
            )
        url, access = run.nats_url, _ours(folder)
    async with _connected_to(url, access) as client:
        yield client


@asynccontextmanager
async def reached() -> AsyncGenerator[Client]:
    """Connect likewise, but where no Turnwire runs on the data folder, start its broker meanwhile.

    Raises `NoBrokerError`, `SettingsError`, `OSError`, `PartMissingError`.
    """
    settings = load(RunnerSettings)
    if settings.nats_url:
        async with _connected_to(settings.nats_url, settings.broker_access) as client:
            yield client
        return
    folder = DataFolder(settings.data_dir)
    if (run := await _run_of(folder)) is not None:
        async with _connected_to(run.nats_url, _ours(folder)) as client:
            await create_missing(client, 1)
            yield client
        return
    try:
        require_room(folder, settings.storage_reserve_bytes)
        folder.prepare()
        with folder.held():
            async with broker_of(folder, encrypted=settings.encrypt_log) as client:
                await create_missing(client, 1)
                yield client
    except FolderInUseError as error:
        raise NoBrokerError(f"Another command works on {folder.path}. Try again.") from error
    except (LogKeyError, NoRoomError) as error:
        raise NoBrokerError(str(error)) from error


@asynccontextmanager
async def broker_of(folder: DataFolder, *, encrypted: bool) -> AsyncGenerator[Client]:
    """Start the broker of a data folder that this process holds, and connect to it.

    Raises `NoBrokerError`, `LogKeyError`, `OSError`, `PartMissingError`.
    """
    security = secure(folder, encrypted=encrypted)
    async with (
        running_nats(folder.path, security) as url,
        _connected_to(url, _ours(folder)) as client,
    ):
        yield client


def run_here(folder: DataFolder) -> Run | None:
    """Give the run that has the folder now; `None` if none has it."""
    return read_run(folder.run_file) if folder.is_held() else None


def _ours(folder: DataFolder) -> Access:
    """Who we are at the broker of a data folder."""
    return Access(seed_file=folder.seed(User.OPERATOR))


@asynccontextmanager
async def _connected_to(url: str, access: Access) -> AsyncGenerator[Client]:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            client = await connect(url, User.OPERATOR, access=access)
    except TimeoutError as error:
        raise NoBrokerError(f"The broker at {parse_server_urls(url)} does not answer.") from error
    except OSError as error:
        raise NoBrokerError(
            f"What proves to the broker who we are cannot be read: {error}. Restart turnwire up, "
            "which makes it, or take it from a backup."
        ) from error
    try:
        yield client
    finally:
        await client.close()


async def _run_of(folder: DataFolder) -> Run | None:
    """Give the run that has the folder, waiting for one that just starts; `None` if none has it."""
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while folder.is_held():
                if (run := read_run(folder.run_file)) is not None:
                    return run
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError as error:
        raise NoBrokerError(
            f"The Turnwire that runs on {folder.path} does not say where its broker is."
        ) from error
    return None
