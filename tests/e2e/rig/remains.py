"""What is left of words once they were said: in the files of the log, in documents."""

import asyncio
from collections.abc import Callable

import pymongo

from e2e.rig.stack import Stack
from e2e.rig.wire import JSON

FORGOTTEN_WITHIN = 5.0


async def nothing_says(stack: Stack, words: str) -> None:
    """Wait until words stand neither in the log's files nor in any document."""
    await _until(lambda: not _places(stack, words), lambda: f"{words} in {_places(stack, words)}")


async def somebody_says(stack: Stack, words: str) -> set[str]:
    """Wait until words stand in the log and in a database; gives where."""
    await _until(lambda: len(_places(stack, words)) > 1, lambda: f"{words} is not kept")
    return _places(stack, words)


async def _until(fact: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    try:
        async with asyncio.timeout(FORGOTTEN_WITHIN):
            while not await asyncio.to_thread(fact):  # noqa: ASYNC110 -- other processes do it
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(otherwise()) from None


def _places(stack: Stack, words: str) -> set[str]:
    """Name the files, and the collections of the database, that say these words.

    A database keeps what was removed until it needs the room, in its files and in its own log
    (`local`), so only documents prove something.
    """
    files = {str(path) for path in stack.files_with(words) if path.parts[0] != "mongo"}
    client: pymongo.MongoClient[JSON] = pymongo.MongoClient(stack.run()["mongodb_url"])
    with client:
        return files | {
            f"{database}.{name}"
            for database in {*client.list_database_names()} - {"local"}
            for name in client[database].list_collection_names()
            if any(words in str(document) for document in client[database][name].find())
        }
