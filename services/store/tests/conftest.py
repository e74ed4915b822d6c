"""What tests of the store stand on; `nats_url` and `mongodb_url` are the plugin's."""

import os
from collections.abc import AsyncGenerator
from uuid import uuid4

import pytest
from nats.aio.client import Client
from pymongo import AsyncMongoClient

from turnwire_chassis.broker import connect, disconnect
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.views import Generations, Views
from turnwire_testing.memory_view_keys import MemoryViewKeys
from turnwire_testing.memory_views import MemoryGenerations
from turnwire_testing.mongo_urls import with_database


@pytest.fixture
async def database_url(mongodb_url: str) -> AsyncGenerator[str]:
    """The URL of a database that only this test has."""
    name = f"test_{uuid4().hex}"
    url = with_database(mongodb_url, name)
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
