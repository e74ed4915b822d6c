"""What the store answers: in the contract's words, at once, and to nobody but the tenant."""

import msgspec
import pytest

from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import (
    STORE_CONVERSATION,
    STORE_CONVERSATIONS,
    STORE_HEALTH,
    STORE_HISTORY,
    STORE_RESPONSE,
    STORE_TREE,
    AskForConversation,
    AskForConversations,
    AskForHealth,
    AskForHistory,
    AskForResponse,
    AskForTree,
    Found,
    FoundConversation,
    History,
    Missing,
    Refusal,
    Running,
    SystemHealth,
    Tree,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.handlers import QueryHandlers
from turnwire_store.queries.history import PAGE_BYTES
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import ViewsUnavailableError
from turnwire_testing.examples import (
    CONVERSATION_ID,
    TENANT,
    closed,
    conversation_created,
    conversation_purged,
    deleted,
    fresh_id,
    items_added,
    message,
    purged,
    requested,
    started,
    turn_added,
    user,
)
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryGenerations
from turnwire_testing.query_handlers import query_handlers


class UnreachableGenerations(MemoryGenerations):
    """Views whose server is gone."""

    async def reach(self, within_s: float) -> None:
        del within_s
        raise ViewsUnavailableError("gone")

    async def serving(self) -> int:
        raise ViewsUnavailableError("gone")


@pytest.fixture
def log() -> MemoryFeeds:
    """An empty log; nothing projects it."""
    return MemoryFeeds()


@pytest.fixture
def handlers(log: MemoryFeeds) -> QueryHandlers:
    """Handlers that read that log, over views that stay empty."""
    return handlers_over(log, MemoryGenerations())


def handlers_over(log: MemoryFeeds, generations: MemoryGenerations) -> QueryHandlers:
    return query_handlers(log, generations, RecentTurns(1_000_000))


async def append(log: MemoryFeeds, *events: AnyEvent | AnyConversationEvent) -> None:
    for event in events:
        await log.append(event, None)


async def response(
    handlers: QueryHandlers, response_id: ResponseId, tenant: TenantId = TENANT
) -> Found | Running | Missing:
    asked = STORE_RESPONSE.encode_question(AskForResponse(tenant, response_id))
    return STORE_RESPONSE.decode_answer(await handlers.response(asked))


async def history(
    handlers: QueryHandlers, response_id: ResponseId, tenant: TenantId = TENANT
) -> History | Running | Missing:
    asked = STORE_HISTORY.encode_question(AskForHistory(tenant, response_id))
    return STORE_HISTORY.decode_answer(await handlers.history(asked))


async def conversation(log: MemoryFeeds, length: int, text: str = "Hi.") -> list[ResponseId]:
    ids: list[ResponseId] = []
    for _ in range(length):
        previous = ids[-1] if ids else None
        ids.append(fresh_id())
        about = {"response_id": ids[-1]}
        asked = requested(**about, previous_response_id=previous)
        await append(log, asked, closed(**about, output=[message(text)]))
    return ids


async def test_a_turn_is_found_before_it_was_projected(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    await append(log, requested(), closed())

    found = await response(handlers, requested().response_id)

    assert found == Found(ClosedTurn(requested(), closed()))


async def test_a_turn_that_runs_is_running(log: MemoryFeeds, handlers: QueryHandlers) -> None:
    asked = requested(instructions="Be brief.")
    await append(log, asked)

    assert await response(handlers, asked.response_id) == Running(asked, "Be brief.")
    assert await history(handlers, asked.response_id) == Running(asked, "Be brief.")


async def test_what_another_tenant_asks_for_is_missing_as_if_it_never_was(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    await append(log, requested(), closed())
    await response(handlers, requested().response_id)

    stranger = TenantId("other")
    assert await response(handlers, requested().response_id, stranger) == Missing()
    assert await history(handlers, requested().response_id, stranger) == Missing()


@pytest.mark.parametrize("no_id", ["*", ">", "resp_", "resp_*", ""])
async def test_what_is_no_id_is_missing_and_never_a_pattern(
    log: MemoryFeeds, handlers: QueryHandlers, no_id: str
) -> None:
    await append(log, requested(), closed())

    assert await response(handlers, ResponseId(no_id)) == Missing()


async def test_a_turn_that_is_not_stored_is_missing_when_it_has_ended(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    await append(log, requested(store=False), closed(stored=False, output=[]))

    assert await response(handlers, requested().response_id) == Missing()


async def test_a_history_is_told_oldest_first(log: MemoryFeeds, handlers: QueryHandlers) -> None:
    ids = await conversation(log, 3)

    told = await history(handlers, ids[2])

    assert isinstance(told, History)
    assert [turn.request.response_id for turn in told.turns] == ids
    assert told.before is None


async def test_a_long_history_comes_in_pages_that_fit_into_a_message(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    ids = await conversation(log, 20, "x" * 100_000)

    pages: list[History] = []
    wanted: ResponseId | None = ids[-1]
    while wanted is not None:
        page = await history(handlers, wanted)
        assert isinstance(page, History)
        pages.append(page)
        wanted = page.before

    assert all(len(msgspec.json.encode(page)) < PAGE_BYTES + 1000 for page in pages)
    turns = [turn for page in reversed(pages) for turn in page.turns]
    assert [turn.request.response_id for turn in turns] == ids


async def test_a_turn_larger_than_a_page_goes_alone(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    ids = await conversation(log, 2, "x" * (PAGE_BYTES + 1))

    told = await history(handlers, ids[1])

    assert isinstance(told, History)
    assert [turn.request.response_id for turn in told.turns] == ids[1:]
    assert told.before == ids[0]


async def test_a_history_with_a_missing_turn_is_missing(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    orphan = requested(previous_response_id=fresh_id(), input=[user("And?")])
    await append(log, orphan, closed())

    assert await history(handlers, orphan.response_id) == Missing()


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "deleted for ever"])
async def test_nobody_comes_to_anothers_turns_by_a_turn_of_ones_own_that_was_refused(
    log: MemoryFeeds, handlers: QueryHandlers, *, kept: bool
) -> None:
    ids = await conversation(log, 2)
    refused, after = fresh_id(), fresh_id()
    bob = OwnerId("bob")
    for one, previous in ((refused, ids[1]), (after, refused)):
        asked = requested(response_id=one, owner=bob, previous_response_id=previous)
        await append(log, asked, closed(response_id=one))
    if kept:
        assert await history(handlers, refused) == Missing()
    else:
        await append(log, purged(response_id=refused, previous_response_id=ids[1]))
    assert await history(handlers, after) == Missing()


async def test_a_turn_of_an_admin_in_a_users_conversation_is_part_of_its_history(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    places: list[ResponseId] = []
    for owner in ("ada", "root", "ada"):
        one, previous = fresh_id(), places[-1] if places else None
        asked = requested(
            response_id=one,
            owner=OwnerId(owner),
            conversation=CONVERSATION_ID,
            previous_response_id=previous,
        )
        await append(log, asked, closed(response_id=one))
        places.append(one)
    told = await history(handlers, places[-1])
    assert isinstance(told, History)
    assert [turn.request.response_id for turn in told.turns] == places


async def test_without_a_database_the_log_answers_everything(log: MemoryFeeds) -> None:
    ids = await conversation(log, 3)
    handlers = handlers_over(log, UnreachableGenerations())

    assert isinstance(await response(handlers, ids[0]), Found)
    told = await history(handlers, ids[2])

    assert isinstance(told, History)
    assert [turn.request.response_id for turn in told.turns] == ids


async def test_a_background_turn_tells_whether_it_has_left_the_queue(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    asked = requested(background=True)
    await append(log, asked)
    assert await response(handlers, asked.response_id) == Running(asked)

    await append(log, started())

    assert await response(handlers, asked.response_id) == Running(asked, started=True)


async def test_a_deleted_turn_is_found_as_such_and_left_out_of_later_histories(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    ids = await conversation(log, 3)
    await append(log, deleted(response_id=ids[1]))

    found = await response(handlers, ids[1])

    assert isinstance(found, Found)
    assert found.turn.deleted
    assert await history(handlers, ids[1]) == Missing()
    later = await history(handlers, ids[2])
    assert isinstance(later, History)
    assert [turn.request.response_id for turn in later.turns] == [ids[0], ids[2]]


async def test_a_purged_turn_is_missing_and_left_out_of_later_histories(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    ids = await conversation(log, 3)
    await append(log, purged(response_id=ids[1], previous_response_id=ids[0]))

    assert await response(handlers, ids[1]) == Missing()
    assert await history(handlers, ids[1]) == Missing()
    later = await history(handlers, ids[2])
    assert isinstance(later, History)
    assert [turn.request.response_id for turn in later.turns] == [ids[0], ids[2]]


async def test_items_that_were_put_into_a_conversation_are_part_of_its_history(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    added = items_added(response_id=fresh_id())
    after = requested(previous_response_id=added.response_id)
    await append(log, added, after, closed())

    told = await history(handlers, after.response_id)

    assert isinstance(told, History)
    assert [turn.request.input for turn in told.turns] == [added.input, after.input]


async def test_a_conversation_is_told_with_the_place_of_its_last_event(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    await append(log, requested(), conversation_created(), turn_added(), closed())

    found = await known_conversation(handlers)

    assert isinstance(found, FoundConversation)
    assert found.sequence == 3
    assert found.conversation.last == turn_added().response_id
    assert await known_conversation(handlers, TenantId("other")) == Missing()
    await append(log, conversation_purged())
    assert await known_conversation(handlers) == Missing()


@pytest.mark.parametrize("no_id", ["*", ">", "conv_", "conv_*", ""])
async def test_what_is_no_id_of_a_conversation_is_missing(
    log: MemoryFeeds, handlers: QueryHandlers, no_id: str
) -> None:
    await append(log, conversation_created())

    assert await known_conversation(handlers, name=ConversationId(no_id)) == Missing()


async def test_without_a_database_one_conversation_is_known_and_lists_are_refused(
    log: MemoryFeeds,
) -> None:
    await append(log, conversation_created())
    handlers = handlers_over(log, UnreachableGenerations())

    assert isinstance(await known_conversation(handlers), FoundConversation)
    tree = await tree_of(handlers, AskForTree(TENANT, CONVERSATION_ID, 10))
    question = STORE_CONVERSATIONS.encode_question(AskForConversations(TENANT, None, 10))
    page = STORE_CONVERSATIONS.decode_answer(await handlers.conversations(question))
    for refused in (tree, page):
        assert isinstance(refused, Refusal)
        assert (refused.failure.http_status, refused.failure.code) == (503, "store_unavailable")


async def test_everything_in_a_conversation_is_not_told_while_views_are_behind(
    log: MemoryFeeds, handlers: QueryHandlers
) -> None:
    await append(log, conversation_created())

    some = await tree_of(handlers, AskForTree(TENANT, CONVERSATION_ID, 10))
    everything = await tree_of(handlers, AskForTree(TENANT, CONVERSATION_ID, 10, everything=True))

    assert some == Tree([])
    assert isinstance(everything, Refusal)


async def known_conversation(
    handlers: QueryHandlers, tenant: TenantId = TENANT, name: ConversationId = CONVERSATION_ID
) -> FoundConversation | Missing:
    question = STORE_CONVERSATION.encode_question(AskForConversation(tenant, name))
    return STORE_CONVERSATION.decode_answer(await handlers.conversation(question))


async def tree_of(handlers: QueryHandlers, asked: AskForTree) -> Tree | Refusal:
    return STORE_TREE.decode_answer(await handlers.tree(STORE_TREE.encode_question(asked)))


async def test_health_tells_whether_the_database_answers(log: MemoryFeeds) -> None:
    answers: list[SystemHealth] = []
    for generations in (MemoryGenerations(), UnreachableGenerations()):
        asked = STORE_HEALTH.encode_question(AskForHealth())
        answers.append(
            STORE_HEALTH.decode_answer(await handlers_over(log, generations).health(asked))
        )

    assert [answer.ok for answer in answers] == [True, False]
    assert "gone" in answers[1].detail
