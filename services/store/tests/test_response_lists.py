"""Lists of responses: the same over every adapter of the views."""

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo import AsyncMongoClient

from turnwire_chassis.retention import KEEPS_ALL, Retention
from turnwire_contracts.events import AnyEvent, Failure
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.inspecting.response_list import (
    STORE_RESPONSES,
    AskForResponses,
    ResponseFilters,
    Responses,
    Scan,
    UnknownAfter,
)
from turnwire_contracts.queries import Refusal
from turnwire_store.mongo.generations import MongoGenerations
from turnwire_store.queries import responses
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations
from turnwire_testing import examples
from turnwire_testing.asked_stores import AskedStore
from turnwire_testing.examples import AT, CONVERSATION_ID, OWNER, TENANT
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.query_handlers import query_handlers

OTHERS = TenantId("others")


def turn_id(number: int) -> ResponseId:
    return ResponseId(f"resp_{number:032x}")


@dataclass(frozen=True)
class Store(AskedStore):
    """A store that is asked for lists."""

    async def page(self, limit: int = 20, **wishes: Any) -> Responses:
        """Ask for a page."""
        told = await self.ask(limit, **wishes)
        assert isinstance(told, Responses)
        return told

    async def ask(self, limit: int = 20, **wishes: Any) -> Responses | UnknownAfter | Refusal:
        """Ask, whatever the answer is."""
        asked = replace(AskForResponses(TENANT, None, limit), **wishes)
        body = STORE_RESPONSES.encode_question(asked)
        return STORE_RESPONSES.decode_answer(await self.handlers.responses(body))

    async def numbers(self, limit: int = 20, **filters: Any) -> list[int]:
        """Name the responses that filters leave, the newest first."""
        return told(await self.page(limit, filters=ResponseFilters(**filters)))


def told(page: Responses) -> list[int]:
    return [int(each.response_id.partition("_")[2], 16) for each in page.responses]


def ended(
    number: int, *, asked: dict[str, Any] | None = None, closed: dict[str, Any] | None = None
) -> list[AnyEvent]:
    about = {"response_id": turn_id(number)}
    return [
        examples.requested(**about, **{"at": AT + number, **(asked or {})}),
        examples.closed(**about, **(closed or {})),
    ]


@pytest.fixture
def store(all_views: Generations) -> Store:
    """A store without anything in it."""
    return store_over(all_views)


def store_over(generations: Generations, retention: Retention = KEEPS_ALL) -> Store:
    log, recent = MemoryFeeds(), RecentTurns(1_000_000)
    return Store(log, generations, recent, query_handlers(log, generations, recent, retention))


async def test_pages_follow_one_another_in_the_order_of_the_requests(store: Store) -> None:
    for number in range(1, 8):
        await store.append(examples.requested(response_id=turn_id(number)))
    # They end in another order.
    for number in (4, 2, 7, 1, 3, 6, 5):
        await store.append(examples.closed(response_id=turn_id(number)))
    await store.write()
    for newest_first, order in ((True, [7, 6, 5, 4, 3, 2, 1]), (False, [1, 2, 3, 4, 5, 6, 7])):
        seen: list[int] = []
        after, more = None, True
        while more:
            page = await store.page(3, newest_first=newest_first, after=after)
            seen += told(page)
            after, more = page.responses[-1].response_id, page.has_more
        assert seen == order
    assert told(await store.page(7)) == [7, 6, 5, 4, 3, 2, 1]
    assert not (await store.page(7)).has_more


async def test_a_summary_says_what_a_turn_was_and_nothing_of_its_content(store: Store) -> None:
    call = {"type": "function_call", "name": "get_weather", "arguments": "{}", "call_id": "c"}
    garbage = {"type": "function_call", "name": "Ada, it rains", "arguments": "", "call_id": "d"}
    closed = {"output": [call, garbage, call], "at": AT + 900}
    asked = {"application": "app", "background": True, "screen": True}
    await store.write(*ended(1, asked=asked, closed=closed))
    (row,) = (await store.page()).responses
    assert row.tools == ["get_weather"]
    assert (row.status, row.model, row.owner) == ("completed", examples.requested().model, OWNER)
    assert (row.created_at, row.closed_at) == (AT + 1, AT + 900)
    assert (row.application, row.background, row.guard) == ("app", True, "passed")


OVERLOADED = Failure(503, "server_error", "overloaded", "Try again.")
CALLS_LOOK = {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c"}

FILTERED: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"status": "failed"}, {}, {"status": "failed"}),
    ({"error_code": "overloaded"}, {}, {"status": "failed", "failure": OVERLOADED}),
    ({"model": "rare"}, {"model": "rare"}, {}),
    ({"application": "shop"}, {"application": "shop"}, {}),
    ({"conversation": CONVERSATION_ID}, {"conversation": CONVERSATION_ID}, {}),
    ({"background": True}, {"background": True}, {}),
    ({"guard": "passed"}, {"screen": True}, {}),
    ({"guard": "blocked"}, {"screen": True}, {"violations": [{"category": "x"}]}),
    ({"tool": "look"}, {}, {"output": [CALLS_LOOK]}),
    ({"status": "failed", "model": "rare"}, {"model": "rare"}, {"status": "failed"}),
]
"""What is asked for, and what of a turn's request and end makes it match."""


@pytest.mark.parametrize(("filters", "asked", "closed"), FILTERED)
async def test_each_filter_gives_what_it_names(
    store: Store, filters: dict[str, Any], asked: dict[str, Any], closed: dict[str, Any]
) -> None:
    await store.append(*ended(1), *ended(3, asked=asked, closed=closed), *ended(5))
    await store.write(*ended(7, asked={"owner": OwnerId("bob"), **asked}, closed=closed))
    assert await store.numbers(**filters) == [7, 3]
    mine = await store.page(owner=OWNER, filters=ResponseFilters(**filters))
    assert told(mine) == [3]


async def test_what_most_responses_are_can_be_asked_for_too(store: Store) -> None:
    await store.append(*ended(1), *ended(2, closed={"status": "failed"}))
    await store.write(*ended(3, asked={"background": True, "screen": True}))
    assert await store.numbers(status="completed") == [3, 1]
    assert await store.numbers(background=False) == [2, 1]
    assert await store.numbers(guard="none") == [2, 1]


async def test_times_bound_a_list_at_both_ends(store: Store) -> None:
    hour = 3_600_000
    for number in range(1, 6):
        await store.append(*ended(number, asked={"at": AT + number * hour}))
    await store.write()
    assert await store.numbers(created_from=AT + 2 * hour) == [5, 4, 3, 2]
    assert await store.numbers(created_to=AT + 2 * hour) == [2, 1]
    assert await store.numbers(created_from=AT + 2 * hour, created_to=AT + 4 * hour) == [4, 3, 2]
    assert await store.numbers(created_from=AT + 9 * hour) == []


async def test_nothing_of_another_tenant_or_user_is_listed_or_gone_on_after(store: Store) -> None:
    await store.append(*ended(1, asked={"tenant": OTHERS}, closed={"tenant": OTHERS}))
    await store.append(*ended(2, asked={"owner": OwnerId("bob")}))
    await store.write(*ended(3))
    assert told(await store.page(owner=OWNER)) == [3]
    assert await store.numbers() == [3, 2]
    for number in (1, 9):
        assert await store.ask(after=turn_id(number)) == UnknownAfter()
    assert await store.ask(after=turn_id(2), owner=OWNER) == UnknownAfter()


async def test_owners_are_not_mixed_up_by_what_their_names_look_like(store: Store) -> None:
    await store.append(*ended(1, asked={"owner": OwnerId("a"), "model": "b:model:m"}))
    await store.write(*ended(2, asked={"owner": OwnerId("a:model:b"), "model": "m"}))
    for owner, number in (("a", 1), ("a:model:b", 2)):
        assert told(await store.page(owner=OwnerId(owner))) == [number]


async def test_what_is_deleted_purged_unstored_or_no_response_is_not_listed(store: Store) -> None:
    for number in range(1, 5):
        await store.append(*ended(number))
    await store.append(
        examples.deleted(response_id=turn_id(1)),
        examples.purged(response_id=turn_id(2)),
        examples.deleted(response_id=turn_id(3)),
        examples.restored(response_id=turn_id(3)),
        examples.items_added(response_id=turn_id(5)),
        *ended(6, asked={"store": False}, closed={"stored": False}),
    )
    await store.write()
    assert await store.numbers() == [4, 3]


async def test_what_is_gone_is_not_listed_before_the_views_know_it(store: Store) -> None:
    for number in (1, 2, 3):
        await store.append(*ended(number))
    await store.write()
    await store.append(
        examples.deleted(response_id=turn_id(1)), examples.purged(response_id=turn_id(2))
    )
    assert await store.numbers() == [3]


async def test_what_runs_is_listed_as_it_is_now(store: Store) -> None:
    for number in (1, 3, 4):
        about = {"response_id": turn_id(number), "background": number != 1}
        await store.append(examples.requested(**about))
    await store.write(*ended(2))
    await store.append(examples.started(response_id=turn_id(3)))
    page = await store.page()
    assert [(each.status, each.closed_at is None) for each in page.responses] == [
        ("completed", False),
        ("queued", True),
        ("in_progress", True),
        ("in_progress", True),
    ]
    assert told(page) == [2, 4, 3, 1]
    assert await store.numbers(status="queued") == [4]
    assert told(await store.page(after=turn_id(3))) == [1]
    # It ends, and the views do not know yet; then they do.
    await store.append(examples.closed(response_id=turn_id(3)))
    assert await store.numbers(status="in_progress") == [1]
    await store.write()
    assert await store.numbers(status="completed") == [2, 3]
    assert await store.numbers() == [2, 4, 3, 1]


async def test_what_is_kept_no_longer_is_not_listed(all_views: Generations) -> None:
    store = store_over(all_views, Retention(1000, lambda: AT + 1002))
    await store.append(*ended(1), *ended(2, asked={"conversation": CONVERSATION_ID}))
    await store.write(*ended(3))
    assert await store.numbers() == [3, 2]


async def test_a_search_reads_what_was_said_and_says_how_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MOST_SEARCHED", 4)
    for number in range(1, 7):
        said = "Tulips are red." if number in (1, 6) else "No flowers."
        await store.append(*ended(number, asked={"input": [examples.user(said)]}))
    await store.write()
    page = await store.page(search="TULIPS")
    assert (told(page), page.has_more) == ([6], True)
    assert page.scan == Scan(4, complete=False, last_scanned=turn_id(3))
    rest = await store.page(search="TULIPS", after=turn_id(3))
    assert (told(rest), rest.has_more) == ([1], False)
    assert rest.scan == Scan(2, complete=True, last_scanned=turn_id(1))


async def test_an_answer_says_when_too_many_had_to_be_compared(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responses, "MOST_COMPARED", 3)
    for number in range(1, 7):
        await store.append(*ended(number, asked={"background": number == 1}))
    await store.write()
    page = await store.page(filters=ResponseFilters(background=False), after=turn_id(6))
    assert (told(page), page.has_more) == ([5, 4, 3], True)
    assert page.scan == Scan(3, complete=False, last_scanned=turn_id(3))


async def test_views_of_an_earlier_version_have_no_lists(
    generations: MongoGenerations, database_url: str
) -> None:
    async with AsyncMongoClient[dict[str, object]](database_url) as client:
        kept = client.get_default_database()["checkpoints"]
        await kept.insert_one({"_id": "responses", "seq": 0, "sealed": True})
    store = store_over(generations)
    await store.write(*ended(1))
    told = await store.ask()
    assert isinstance(told, Refusal)
    assert "turnwire rebuild" in told.failure.message
