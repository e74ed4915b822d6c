"""Which URLs of MongoDB are refused, and what is asked of its server whatever the URL says."""

from urllib.parse import urlsplit, urlunsplit

import pytest
from pymongo import ReadPreference

from turnwire_chassis.settings import SettingsError, load
from turnwire_store.mongo.server import READ, WRITTEN, MongoServer
from turnwire_store.mongo.url import check_mongodb_url
from turnwire_store.settings import StoreSettings
from turnwire_testing.mongo_urls import with_database


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://127.0.0.1:27017/turnwire",
        "mongodb://127.0.0.1:1/?directConnection=true&retryWrites=false&journal=true&maxPoolSize=16",
        "mongodb://me:secret@a:1,b:2,[::1]:3/views?replicaSet=rs0&w=majority&authSource=admin",
        "mongodb+srv://me:secret@cluster.example.com/views?retryWrites=true&w=majority",
        "mongodb://h/?readConcernLevel=linearizable&readPreference=primary&wtimeoutMS=500&tls=true",
    ],
)
def test_a_url_that_keeps_the_promise_is_taken_as_it_is(url: str) -> None:
    assert check_mongodb_url(url) == url


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("w=0", "asks for w=0, with which a failover may undo writes"),
        ("w=1", "asks for w=1"),
        ("w=3", "asks for w=3"),
        ("w=dc1", "asks for w=dc1"),
        ("journal=false", "asks for journal=false, with which a crash may undo writes"),
        ("readConcernLevel=local", "asks for readConcernLevel=local"),
        ("readPreference=secondaryPreferred", "asks for readPreference=secondaryPreferred"),
        ("retrywrite=true", "is no URL of MongoDB: Unknown option: retrywrite"),
        ("maxPoolSize=many", "is no URL of MongoDB"),
    ],
)
def test_a_url_that_asks_for_less_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, query: str, named: str
) -> None:
    monkeypatch.setenv("TURNWIRE_MONGODB_URL", f"mongodb://me:secret@h1,h2/views?{query}")

    with pytest.raises(SettingsError) as refusal:
        load(StoreSettings)

    assert "TURNWIRE_MONGODB_URL" in str(refusal.value)
    assert named in str(refusal.value)
    assert "secret" not in str(refusal.value)
    if "asks for" in named:
        assert f"leave {query.partition('=')[0]} out of it" in str(refusal.value)


async def test_the_majority_confirms_and_the_primary_answers_whatever_the_url_says(
    database_url: str,
) -> None:
    parts = urlsplit(database_url)
    weak = f"{parts.query}&w=1&readConcernLevel=local&readPreference=nearest"
    server = MongoServer.at(urlunsplit(parts._replace(query=weak)))

    assert server.database.write_concern == WRITTEN
    assert WRITTEN.document == {"w": "majority", "j": True}
    assert server.database.read_concern == READ
    assert READ.document == {"level": "majority"}
    assert server.database.read_preference == ReadPreference.PRIMARY
    await server.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("mongodb://h:1/?replicaSet=rs0", "mongodb://h:1/own?replicaSet=rs0"),
        ("mongodb://a:1,b:2/old", "mongodb://a:1,b:2/own"),
        ("mongodb://me:pw@h/", "mongodb://me:pw@h/own?authSource=admin"),
        ("mongodb://me:pw@h/users?tls=true", "mongodb://me:pw@h/own?tls=true&authSource=users"),
        ("mongodb+srv://me:pw@h/?authSource=x", "mongodb+srv://me:pw@h/own?authSource=x"),
    ],
)
def test_each_test_has_its_database_whatever_the_url_that_is_given(url: str, named: str) -> None:
    assert with_database(url, "own") == named
