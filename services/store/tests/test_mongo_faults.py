"""What an election, a slow server or a lost connection does to reads and writes of views."""

import time
from collections.abc import AsyncGenerator

import msgspec
import pytest

from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.mongo.turns import MongoViews
from turnwire_store.recent_turns import stored
from turnwire_store.views import ViewsUnavailableError
from turnwire_testing.memory_view_keys import MemoryViewKeys
from turnwire_testing.mongo_wire import Fault, MongoWire, error, mongo_wire, unconfirmed
from turnwire_testing.stored_turns import turn_id, view

RETRYABLE = "RetryableWriteError"
STEPS_DOWN = error(10107, "NotWritablePrimary", RETRYABLE)
IS_KILLED = error(11602, "InterruptedDueToReplStateChange", RETRYABLE)
IS_SLOW = error(262, "ExceededTimeLimit", RETRYABLE)
SHUTS_DOWN = error(91, "ShutdownInProgress", RETRYABLE)
CURSOR_IS_GONE = error(43, "CursorNotFound")
NOT_CONFIRMED = unconfirmed(64, "WriteConcernFailed")


@pytest.fixture
async def shaken(database_url: str) -> AsyncGenerator[tuple[MongoWire, MongoGenerations]]:
    """The views of this test's database, and the wire between them and their server."""
    if "+srv" in database_url or "," in database_url or "tls=true" in database_url:
        pytest.skip("a wire can stand in front of one server without TLS only")
    async with mongo_wire(database_url) as (wire, url):
        generations = MongoGenerations(url, MemoryViewKeys())
        await generations.reach(10)
        yield wire, generations
        await generations.close()


@pytest.fixture
def wire(shaken: tuple[MongoWire, MongoGenerations]) -> MongoWire:
    """Where answers are made to come."""
    return shaken[0]


@pytest.fixture
async def views(shaken: tuple[MongoWire, MongoGenerations]) -> MongoViews:
    """The generation that serves."""
    return await shaken[1].prepare(0)


@pytest.mark.parametrize("answer", [STEPS_DOWN, IS_KILLED, IS_SLOW, SHUTS_DOWN, None])
@pytest.mark.parametrize("when", ["instead", "after"])
async def test_a_write_outlives_an_election_and_is_done_once(
    wire: MongoWire, views: MongoViews, answer: dict[str, object] | None, when: str
) -> None:
    fault = {"command": "insert", "answer": answer, "when": when}
    # Longer than one repetition, which is all that the driver promises without a deadline.
    wire.faults += [msgspec.convert(fault, Fault)] * 2
    wire.faults.append(Fault("update", STEPS_DOWN))

    await views.write([view(0), view(1)])
    await views.advance(7)

    assert wire.faults == []
    assert await views.find(turn_id(1)) == stored(view(1))
    assert await views.checkpoint() == 7


@pytest.mark.parametrize("answer", [STEPS_DOWN, IS_KILLED, SHUTS_DOWN, None])
async def test_a_question_outlives_an_election(
    wire: MongoWire, views: MongoViews, answer: dict[str, object] | None
) -> None:
    await views.write([view(0)])
    wire.faults.append(Fault("find", answer))

    assert await views.find(turn_id(0)) == stored(view(0))
    assert wire.faults == []


async def test_a_write_that_the_majority_has_not_confirmed_is_not_done(
    wire: MongoWire, views: MongoViews
) -> None:
    for write in (views.write([view(0)]), views.advance(7)):
        wire.faults += [Fault(command, NOT_CONFIRMED, "after") for command in ("insert", "update")]
        with pytest.raises(ViewsUnavailableError, match="WriteConcern"):
            await write
        wire.faults.clear()

    await views.write([view(0)])

    assert await views.find(turn_id(0)) == stored(view(0))


async def test_what_cannot_be_repeated_fails_and_may_be_done_again(
    wire: MongoWire, views: MongoViews
) -> None:
    await views.write([view(0)])
    wire.faults.append(Fault("delete", STEPS_DOWN, "after"))

    with pytest.raises(ViewsUnavailableError, match="NotPrimary"):
        await views.remove([turn_id(0)])
    await views.remove([turn_id(0)])

    assert await views.existing([turn_id(0)]) == set()


async def test_a_cursor_that_the_server_has_dropped_is_a_question_without_an_answer(
    wire: MongoWire, views: MongoViews
) -> None:
    await views.write([view(number) for number in range(130)])
    wire.faults.append(Fault("getMore", CURSOR_IS_GONE))

    with pytest.raises(ViewsUnavailableError, match="CursorNotFound"):
        [each async for each in views.every()]


async def test_questions_do_not_wait_one_after_the_other_for_a_server_that_is_silent(
    wire: MongoWire, views: MongoViews
) -> None:
    await views.write([view(0)])
    wire.faults += [Fault("find", IS_SLOW)] * 10_000
    with pytest.raises(ViewsUnavailableError):
        await views.find(turn_id(0))
    began = time.monotonic()

    for _ in range(50):
        with pytest.raises(ViewsUnavailableError, match="a moment ago"):
            await views.find(turn_id(0))

    assert time.monotonic() - began < 0.5
