"""Looks at the views themselves, past the store: is there one of each turn, and no other."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from pymongo import AsyncMongoClient

from chaos.faults.system import System
from turnwire_chassis.broker import connect, disconnect
from turnwire_contracts import subjects
from turnwire_dev.components.mongo import mongodb_url
from turnwire_testing.waiting import eventually

Document = dict[str, Any]


async def views_trouble(system: System, ids: Collection[str], within_s: float = 10.0) -> list[str]:
    """Say what is wrong with the views of turns that have ended; nothing when they are whole.

    Waits until they are where the log ends.
    """
    url = mongodb_url(system.documents.port)
    async with AsyncMongoClient[Document](url) as client:
        database = client.get_default_database()
        end = await _end_of_log(system)

        async def has_caught_up() -> bool:
            found = await database["checkpoints"].find_one({"_id": "responses"})
            return found is not None and found["seq"] >= end

        try:
            await eventually(has_caught_up, within_s)
        except TimeoutError:
            found = await database["checkpoints"].find_one({"_id": "responses"})
            return [f"{within_s:g} s later the views are at {found and found['seq']} of {end}"]
        documents = await database["responses"].find({}, {"chain": 1, "depth": 1}).to_list(None)
    kept = {each["_id"] for each in documents}
    places = Counter((each["chain"], each["depth"]) for each in documents)
    missing = [f"{one} has no view" for one in ids if one not in kept]
    return missing + [f"{place} is taken twice" for place, count in places.items() if count > 1]


async def _end_of_log(system: System) -> int:
    client = await connect(system.broker_url, "test")
    try:
        info = await client.jetstream().stream_info(subjects.TURNS_STREAM)
    finally:
        await disconnect(client)
    return info.state.last_seq
