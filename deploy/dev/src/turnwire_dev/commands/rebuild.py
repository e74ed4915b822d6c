"""`turnwire rebuild`: the views anew from the log, compared with it, while all goes on."""

import asyncio
from dataclasses import dataclass

import msgspec
import typer
from pydantic import SecretStr

from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.logs import start_logging
from turnwire_chassis.settings import SettingsError, load
from turnwire_chassis.storage_space import FOR_VIEWS
from turnwire_cli.exit_codes import FAILED
from turnwire_dev.commands.operator import NoBrokerError, run_here
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import read_secret
from turnwire_dev.screen import Screen, ShowProgress
from turnwire_dev.settings import RunnerSettings
from turnwire_store.app import connected
from turnwire_store.feed import FeedLostError
from turnwire_store.rebuild import OvertakenError, Rebuilt, rebuilding
from turnwire_store.settings import StoreSettings
from turnwire_store.verifying.comparison import Compared
from turnwire_store.views import ViewsUnavailableError

_REACH_S = 10.0
_CONNECT_S = 10.0
_NAMED = 20
"""How many differences are named for people; `-o json` names all."""


def rebuild(screen: Screen) -> None:
    """Build the views anew and let them serve; exit code 1 if they differ from the log."""
    start_logging("rebuild", "error")
    try:
        settings = _store_settings(load(RunnerSettings))
        with screen.progress() as show:
            rebuilt = asyncio.run(_rebuilt(settings, _Progress(show)))
    except (
        NoBrokerError,
        FeedLostError,
        LogUnavailableError,
        ViewsUnavailableError,
        OvertakenError,
    ) as error:
        screen.problem(f"{error}. Nothing has changed; run it again, and it goes on where it was.")
        raise typer.Exit(FAILED) from error
    _report(rebuilt, screen)
    if not rebuilt.serves:
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Progress:
    """`RebuildProgress` on the screen."""

    show: ShowProgress

    def building(self, done: int, total: int) -> None:
        self.show("build the views", done, total)

    def comparing(self, done: int, total: int) -> None:
        self.show("compare with the log", done, total)


async def _rebuilt(settings: StoreSettings, progress: _Progress) -> Rebuilt:
    # Connecting waits for a broker as long as it takes, and a person does not.
    opening = connected(settings)
    try:
        async with asyncio.timeout(_CONNECT_S):
            to = await opening.__aenter__()
    except TimeoutError as error:
        raise NoBrokerError(
            f"The broker at {settings.nats_url} does not answer, or does not know the user `store`"
        ) from error
    try:
        settings.storage_space.require(FOR_VIEWS)
        await to.generations.reach(_REACH_S)
        return await rebuilding(to, settings.storage_space).run(progress)
    finally:
        await opening.__aexit__(None, None, None)


def _store_settings(settings: RunnerSettings) -> StoreSettings:
    """Give the settings of the store that serves: of the one that runs here, or the environment's.

    Raises `NoBrokerError`, `SettingsError`.
    """
    of_environment = load(StoreSettings, ignore_empty=True)
    folder = DataFolder(settings.data_dir)
    run = run_here(folder)
    if settings.nats_url is None and run is None:
        raise NoBrokerError(
            f"No Turnwire runs on {settings.data_dir}. Start it with: turnwire up, or name its "
            "broker with TURNWIRE_NATS_URL"
        )
    mongodb_url = settings.mongodb_url or (run.mongodb_url if run else None)
    if mongodb_url is None:
        raise SettingsError(
            "TURNWIRE_NATS_URL is set and TURNWIRE_MONGODB_URL is not: set it to the database of "
            "the store that uses this broker."
        )
    view_key = of_environment.view_key or _view_key(folder)
    if settings.nats_url is not None or run is None:
        return load(StoreSettings, ignore_empty=True, mongodb_url=mongodb_url, view_key=view_key)
    return load(
        StoreSettings,
        ignore_empty=True,
        nats_url=run.nats_url,
        nats_nkey_seed_file=folder.seed(User.STORE),
        nats_credentials=None,
        mongodb_url=mongodb_url,
        view_key=view_key,
        storage_dir=folder.path,
    )


def _view_key(folder: DataFolder) -> SecretStr | None:
    kept = read_secret(folder.view_key)
    return None if kept is None else SecretStr(kept)


def _report(rebuilt: Rebuilt, screen: Screen) -> None:
    new, old = rebuilt.new, rebuilt.old
    facts = {
        "generation": rebuilt.generation,
        "serves": rebuilt.serves,
        "turns": len(new.views.turns),
        "conversations": len(new.views.conversations),
        "entries": new.entries,
        "digest": new.views.digest,
        "digest_of_log": new.log.digest,
        "digest_of_old": old.views.digest,
        "differences": msgspec.to_builtins(new.differences),
        "differences_of_old": msgspec.to_builtins(old.differences),
        "unreadable": new.unreadable,
    }
    views = f"{len(new.views.turns)} turns, {len(new.views.conversations)} conversations"
    lines = [
        f"Generation {rebuilt.generation}, from {new.entries} entries of the log: {views}.",
        f"  digest of the new views  {new.views.digest}",
        f"  digest of the log        {new.log.digest}",
        *_differences("The new views differ from the log", new),
        f"  digest of the old views  {old.views.digest}",
        *_differences("The old views differed from the log", old),
        *(f"  {about} has no effect: {why}" for about, why in sorted(new.unreadable.items())),
        _outcome(rebuilt),
    ]
    screen.result(facts, *lines)


def _differences(heading: str, compared: Compared) -> list[str]:
    found = compared.differences
    if not found:
        return []
    more = [f"    and {len(found) - _NAMED} more: -o json"] if len(found) > _NAMED else []
    named = [f"    {each.about} is {each.how}" for each in found[:_NAMED]]
    return [f"  {heading} in {len(found)}:", *named, *more]


def _outcome(rebuilt: Rebuilt) -> str:
    if rebuilt.serves:
        return "They serve now; the old ones are kept until the next rebuild."
    return (
        "They do not serve and are dropped; the old ones serve. Nothing is lost: the log has all. "
        "Run it again; if the new views differ again, report it with this output."
    )
