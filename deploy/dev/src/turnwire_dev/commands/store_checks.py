"""What `turnwire doctor` finds at the database: whether it takes the store, and the views."""

import asyncio
from typing import Final

from nats.aio.client import Client

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.reading import page, pages, subject_of_message
from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.mongo.diagnosis import database_problem
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.sealing import MasterKeys, UnopenableError
from turnwire_store.views import Views, ViewsUnavailableError

_REACH_S: Final = 3.0
_MOVES_WITHIN_S: Final = 3.0
_LOOK_EVERY_S: Final = 0.25
_START: Final = "Is a store running? Its log says why it does not go on (`projection interrupted`)."


async def check_database(url: str) -> list[Finding]:
    """Check that the database takes us, and what a store does with it."""
    problem = await database_problem(url)
    if problem is None:
        return []
    return [CheckFailed("store", problem.text, problem.way_out)]


async def check_projection(client: Client, mongodb_url: str, master_keys: MasterKeys) -> Finding:
    """Check that the views are where the log is, or on their way."""
    generations = MongoGenerations(mongodb_url, JetStreamViewKeys(client, master_keys))
    try:
        await generations.reach(_REACH_S)
        serving = await generations.serving()
        views, next_views = generations.views(serving), generations.views(serving + 1)
        return await _projection(client, serving, views, next_views)
    except (ViewsUnavailableError, LogUnavailableError) as error:
        return CheckFailed("views", f"they cannot be looked at: {error}", _START)
    finally:
        await generations.close()


async def _projection(client: Client, serving: int, views: Views, next_views: Views) -> Finding:
    checkpoint, built = await views.checkpoint(), await next_views.checkpoint()
    end = (await client.jetstream().stream_info(subjects.TURNS_STREAM)).state.last_seq
    if checkpoint > end:
        return CheckFailed(
            "views",
            f"they end at {checkpoint} and the log at {end}: they are of another log",
            "Stop the stores, drop the database, and start them: the views are rebuilt.",
        )
    if await _stands_still(client, views, checkpoint):
        return CheckFailed(
            "views", f"they stand at {checkpoint} and the log at {end}, and do not go on", _START
        )
    if built and await _stands_still(client, next_views, built):
        return CheckFailed(
            "views",
            f"a rebuild of generation {serving + 1} was broken off at {built} of {end}",
            "Run it again, and it goes on where it was: turnwire rebuild",
        )
    behind = (
        "are where the log is" if checkpoint == end else f"stand at {checkpoint} of {end} and go on"
    )
    return CheckPassed("views", f"generation {serving} serves; they {behind}")


async def _stands_still(client: Client, views: Views, checkpoint: int) -> bool:
    """Tell whether there is something behind a checkpoint that does not move."""
    if not await page(client, subjects.TURNS_STREAM, ">", checkpoint, most=1):
        return False
    try:
        async with asyncio.timeout(_MOVES_WITHIN_S):
            while await views.checkpoint() == checkpoint:  # noqa: ASYNC110 -- another process sets no event
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return True
    return False


async def check_view_keys(client: Client, master_keys: MasterKeys) -> list[Finding]:
    """Check that the keys of views open with the view key that is set."""
    closed: list[str] = []
    try:
        async for messages in pages(client, subjects.VIEW_KEYS_STREAM, subjects.VIEW_KEYS):
            for message in messages:
                tenant = TenantId(
                    subject_of_message(message).removeprefix(subjects.view_key(TenantId("")))
                )
                try:
                    master_keys.unwrap(tenant, message.data)
                except UnopenableError:
                    closed.append(tenant)
    except LogUnavailableError as error:
        return [CheckFailed("view key", str(error), "Is the broker up?")]
    if not closed:
        return []
    return [
        CheckFailed(
            "view key",
            f"the views of {len(closed)} tenants ({', '.join(closed[:3])}) were sealed under "
            "another TURNWIRE_VIEW_KEY",
            "Set the old key behind the new one with a comma between them, or put view.key back; a "
            "backup has it.",
        )
    ]
