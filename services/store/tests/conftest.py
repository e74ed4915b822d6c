"""What tests of the store stand on; `nats_url` and `mongodb_url` are the plugin's."""

import os
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest
from nats.aio.client import Client
from pymongo import AsyncMongoClient

from turnwire_chassis.broker import connect, disconnect
from turnwire_store.memory_views import MemoryGenerations
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.sealing.view_keys import MemoryViewKeys
from turnwire_store.views import Generations, Views


@pytest.fixture
async def database_url(mongodb_url: str) -> AsyncGenerator[str]:
    """The URL of a database that only this test has."""
    name = f"test_{uuid4().hex}"
    url = urlunsplit(urlsplit(mongodb_url)._replace(path=f"/{name}"))
    yield url
    async with AsyncMongoClient[dict[str, object]](url) as client:
        await client.drop_database(name)


@pytest.fixture
async def generations(database_url: str) -> AsyncGenerator[MongoGenerations]:
    """The views of this test's database."""
    opened = MongoGenerations(database_url, MemoryViewKeys())
    await opened.reach(10)
    yield opened
    await opened.close()


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    """A connection to the broker."""
    connected = await connect(nats_url, f"test-{os.getpid()}")
    yield connected
    await disconnect(connected)


@pytest.fixture(params=["memory", "mongodb"])
def all_views(request: pytest.FixtureRequest, generations: MongoGenerations) -> Generations:
    """All generations of one adapter."""
    return generations if request.param == "mongodb" else MemoryGenerations()


@pytest.fixture
async def views(all_views: Generations) -> Views:
    """The generation that serves."""
    return await all_views.prepare(await all_views.serving())
