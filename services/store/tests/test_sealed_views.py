"""What lies in MongoDB is noise without a tenant's key, and for ever once that is destroyed."""

from typing import Any

import pytest
from nats.aio.client import Client
from pymongo import AsyncMongoClient

from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_store.chain_position import ChainPosition
from turnwire_store.jetstream_view_keys import JetStreamViewKeys
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.sealing import MasterKeys, UnopenableError, ViewKey, ViewKeys
from turnwire_store.views import View, ViewsUnavailableError
from turnwire_testing.examples import AT, OWNER
from turnwire_testing.memory_view_keys import MemoryViewKeys

MASTER = bytes(range(32))
CANARY = "a canary that sings"


def view(number: int, tenant: str) -> View:
    """A view whose turn says the canary."""
    one = ResponseId(f"resp_{number:032x}")
    return View(
        response_id=one,
        tenant=TenantId(tenant),
        owner=OWNER,
        sequence=number,
        status="completed",
        model="m",
        created_at=AT,
        closed_at=AT,
        parent=None,
        place=ChainPosition(one, 0),
        fork=None,
        turn=f'{{"said":"{CANARY}"}}',
    )


@pytest.fixture(params=["memory", "jetstream"])
async def keys(request: pytest.FixtureRequest, client: Client) -> ViewKeys:
    if request.param == "memory":
        return MemoryViewKeys()
    await declare(client, 1)
    return JetStreamViewKeys(client, MasterKeys([MASTER]))


async def test_a_tenant_has_one_key_until_it_is_destroyed(keys: ViewKeys) -> None:
    tenant, other = TenantId("one-key"), TenantId("one-key-other")
    assert await keys.find(tenant) is None
    first, foreign = await keys.making(tenant), await keys.making(other)
    assert (await keys.making(tenant)).id == first.id != foreign.id
    await keys.destroy(tenant)
    await keys.destroy(tenant)
    assert await keys.find(tenant) is None
    assert (await keys.making(tenant)).id != first.id
    assert (await keys.making(other)).id == foreign.id


async def test_two_stores_that_make_a_key_at_once_have_the_same(client: Client) -> None:
    await declare(client, 1)
    stores = [JetStreamViewKeys(client, MasterKeys([MASTER])) for _ in range(2)]
    made = [await store.making(TenantId("raced")) for store in stores]
    assert made[0].id == made[1].id


async def test_without_the_right_master_key_the_views_cannot_be_had(client: Client) -> None:
    await declare(client, 1)
    tenant = TenantId("mastered")
    made = await JetStreamViewKeys(client, MasterKeys([MASTER])).making(tenant)
    with pytest.raises(ViewsUnavailableError, match="TURNWIRE_VIEW_KEY"):
        await JetStreamViewKeys(client, MasterKeys([bytes(32)])).find(tenant)
    rotated = await JetStreamViewKeys(client, MasterKeys([bytes(32), MASTER])).find(tenant)
    assert rotated is not None
    assert rotated.id == made.id


async def test_the_database_never_sees_content(database_url: str) -> None:
    generations = MongoGenerations(database_url, MemoryViewKeys())
    views = await generations.prepare(0)
    await views.write([view(1, "acme")])
    async with AsyncMongoClient[dict[str, Any]](database_url) as client:
        found = await client.get_default_database()["responses"].find_one({})
    assert CANARY not in str(found)
    read = await views.find(view(1, "acme").response_id)
    assert read is not None
    assert CANARY.encode() in read.turn
    await generations.close()


async def test_what_a_destroyed_key_sealed_is_as_if_it_were_not_there(database_url: str) -> None:
    keys = MemoryViewKeys()
    generations = MongoGenerations(database_url, keys)
    views = await generations.prepare(0)
    await views.write([view(1, "acme"), view(2, "other")])
    await keys.destroy(TenantId("acme"))
    assert await views.find(view(1, "acme").response_id) is None
    assert await views.find(view(2, "other").response_id) is not None
    await keys.making(TenantId("acme"))
    assert await views.find(view(1, "acme").response_id) is None
    await generations.close()


async def test_what_an_earlier_version_wrote_is_read_and_then_sealed(database_url: str) -> None:
    keys = MemoryViewKeys()
    async with AsyncMongoClient[dict[str, Any]](database_url) as client:
        database = client.get_default_database()
        generations = MongoGenerations(database_url, keys)
        await (await generations.prepare(0)).write([view(1, "acme"), view(2, "acme")])
        plain = {"$set": {"turn": view(1, "acme").turn}}
        await database["responses"].update_many({}, plain)
        await database["checkpoints"].update_one({}, {"$unset": {"sealed": ""}})
        read = await generations.views(0).find(view(1, "acme").response_id)
        later = MongoGenerations(database_url, keys)
        again = await (await later.prepare(0)).find(view(1, "acme").response_id)
        assert read == again
        assert read is not None
        assert CANARY not in str(await database["responses"].find({}).to_list(None))
        await later.close()
        await generations.close()


def test_what_is_sealed_opens_for_its_own_document_only() -> None:
    key = ViewKey.new()
    sealed = key.seal("resp_1", b"content")
    assert key.open("resp_1", sealed) == b"content"
    assert b"content" not in sealed
    for about, changed in (("resp_2", sealed), ("resp_1", sealed[:-1]), ("resp_1", b"")):
        with pytest.raises(UnopenableError):
            key.open(about, changed)


def test_a_key_says_nothing_secret_of_itself() -> None:
    key = ViewKey.new()
    assert repr(key) == f"ViewKey({key.id.hex()})"
