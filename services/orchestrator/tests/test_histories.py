"""Histories come from memory where they are recent, and else from the store, page by page."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import nats
import orjson
import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import STORE_HISTORY, AskForHistory, History, Missing, Running
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.prompting.history import encode_input
from turnwire_testing.examples import OTHER_ID, OWNER, RESPONSE_ID, TENANT, closed, requested, user
from turnwire_testing.orchestration import World

PLENTY = 1024 * 1024
Store = Callable[[AskForHistory], History | Running | Missing]


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await nats.connect(nats_url)
    yield connected
    await connected.close()


class AnsweringStore:
    """Answers as the store does; remembers what it was asked."""

    def __init__(self, client: Client, store: Store) -> None:
        """Answer with `store` once started."""
        self.asked: list[AskForHistory] = []
        self._client = client
        self._store = store

    async def start(self) -> "AnsweringStore":
        """Listen from now on."""
        await self._client.subscribe(STORE_HISTORY.subject, cb=self._on_question)
        await self._client.flush()
        return self

    async def _on_question(self, message: Msg) -> None:
        question = STORE_HISTORY.decode_question(message.data)
        self.asked.append(question)
        await message.respond(STORE_HISTORY.encode_answer(self._store(question)))


def turn(response_id: ResponseId, text: str, **changes: object) -> ClosedTurn:
    """A turn that has ended."""
    request = requested(response_id=response_id, input=[user(text)], **changes)
    ended = fold([request, closed(response_id=response_id, output=[])])
    assert isinstance(ended, ClosedTurn)
    return ended


def texts(encoded: bytes) -> list[str]:
    """Give the text of each message."""
    return [item["content"][0]["text"] for item in orjson.loads(encoded)]


async def failure_code(histories: StoreHistories) -> str:
    """Ask for a history that cannot be had."""
    with pytest.raises(TurnFailedError) as raised:
        await histories.past(TENANT, RESPONSE_ID, OWNER)
    return raised.value.failure.code


async def test_a_history_is_asked_for_once(client: Client) -> None:
    store = await AnsweringStore(client, lambda _: History([turn(RESPONSE_ID, "a")])).start()
    histories = StoreHistories(client, PLENTY)
    first = await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert await histories.past(TENANT, RESPONSE_ID, OWNER) is first
    assert len(store.asked) == 1


async def test_a_long_history_comes_in_pages_and_is_put_in_order(client: Client) -> None:
    names = [ResponseId(f"resp_{number:032x}") for number in range(4)]

    def pages(question: AskForHistory) -> History:
        index = names.index(question.response_id)
        older = names[index - 2] if index >= 2 else None
        return History([turn(name, name[-1]) for name in names[index - 1 : index + 1]], older)

    await AnsweringStore(client, pages).start()
    past = await StoreHistories(client, PLENTY).past(TENANT, names[3], OWNER)
    assert texts(encode_input(past, b"")) == ["0", "1", "2", "3"]


async def test_what_was_remembered_is_not_asked_for(client: Client) -> None:
    histories = StoreHistories(client, PLENTY)
    histories.remember(turn(RESPONSE_ID, "a"), None)
    assert texts(encode_input(await histories.past(TENANT, RESPONSE_ID, OWNER), b"")) == ["a"]


async def test_what_is_not_stored_is_not_remembered(client: Client) -> None:
    await AnsweringStore(client, lambda _: Missing()).start()
    histories = StoreHistories(client, PLENTY)
    unstored = fold([requested(store=False), closed(stored=False)])
    assert isinstance(unstored, ClosedTurn)
    histories.remember(unstored, None)
    assert await failure_code(histories) == "previous_response_not_found"


async def test_another_tenant_does_not_find_what_was_remembered(client: Client) -> None:
    await AnsweringStore(client, lambda _: Missing()).start()
    histories = StoreHistories(client, PLENTY)
    histories.remember(turn(RESPONSE_ID, "a"), None)
    with pytest.raises(TurnFailedError):
        await histories.past(TenantId("other"), RESPONSE_ID, None)


async def test_memory_is_bounded_and_the_least_used_goes_first(client: Client) -> None:
    store = await AnsweringStore(
        client, lambda question: History([turn(question.response_id, "again")])
    ).start()
    histories = StoreHistories(client, 4096)
    histories.remember(turn(RESPONSE_ID, "a" * 1000), None)
    histories.remember(turn(OTHER_ID, "b" * 1000), None)
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    histories.remember(turn(ResponseId("resp_" + "f" * 32), "c" * 1000), None)
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert store.asked == []
    await histories.past(TENANT, OTHER_ID, OWNER)
    assert [question.response_id for question in store.asked] == [OTHER_ID]


async def test_a_response_that_still_runs_cannot_be_continued(client: Client) -> None:
    await AnsweringStore(client, lambda _: Running(requested())).start()
    assert await failure_code(StoreHistories(client, PLENTY)) == "response_in_progress"


async def test_a_response_that_nobody_knows_cannot_be_continued(client: Client) -> None:
    await AnsweringStore(client, lambda _: Missing()).start()
    assert await failure_code(StoreHistories(client, PLENTY)) == "previous_response_not_found"


async def test_a_history_that_ends_in_another_response_is_not_the_one_asked_for(
    client: Client,
) -> None:
    await AnsweringStore(client, lambda _: History([turn(OTHER_ID, "a")])).start()
    assert await failure_code(StoreHistories(client, PLENTY)) == "previous_response_not_found"


async def test_without_a_store_the_turn_fails_when_patience_ends(client: Client) -> None:
    histories = StoreHistories(client, PLENTY, patience_s=0.3)
    assert await failure_code(histories) == "store_unavailable"


async def test_a_turn_waits_for_a_store_that_restarts(client: Client) -> None:
    asking = asyncio.create_task(StoreHistories(client, PLENTY).past(TENANT, RESPONSE_ID, OWNER))
    for _ in range(2):
        # What was asked before has been refused when the broker answers this.
        await client.flush()
    await AnsweringStore(client, lambda _: History([turn(RESPONSE_ID, "a")])).start()
    assert (await asking).response_id == RESPONSE_ID


@pytest.mark.parametrize("remembered", [False, True], ids=["asked for", "remembered"])
async def test_another_user_does_not_find_what_is_not_theirs(
    client: Client, *, remembered: bool
) -> None:
    await AnsweringStore(client, lambda _: History([turn(RESPONSE_ID, "a")])).start()
    histories = StoreHistories(client, PLENTY)
    if remembered:
        histories.remember(turn(RESPONSE_ID, "a"), None)
    with pytest.raises(TurnFailedError) as raised:
        await histories.past(TENANT, RESPONSE_ID, OwnerId("bob"))
    assert raised.value.failure == previous_not_found(RESPONSE_ID)
    assert (await histories.past(TENANT, RESPONSE_ID, None)).owner == OWNER


async def test_what_runs_for_another_user_looks_like_what_never_was(client: Client) -> None:
    await AnsweringStore(client, lambda _: Running(requested(owner=OwnerId("bob")))).start()
    histories = StoreHistories(client, PLENTY)
    with pytest.raises(TurnFailedError) as raised:
        await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert raised.value.failure == previous_not_found(RESPONSE_ID)


async def test_what_was_changed_is_asked_for_again(client: Client) -> None:
    said = ["before"]
    store = await AnsweringStore(
        client, lambda question: History([turn(question.response_id, said[0])])
    ).start()
    histories = StoreHistories(client, PLENTY)
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    said[0] = "after"
    histories.forget()
    assert texts(encode_input(await histories.past(TENANT, RESPONSE_ID, OWNER), b"")) == ["after"]
    assert len(store.asked) == 2


async def test_an_answer_that_a_change_overtook_is_not_kept(client: Client) -> None:
    changes = 1

    def store(question: AskForHistory) -> History:
        nonlocal changes
        # The change is heard while the answer is on its way.
        if changes:
            changes -= 1
            histories.forget()
        return History([turn(question.response_id, "a")])

    asking = await AnsweringStore(client, store).start()
    histories = StoreHistories(client, PLENTY)
    for _ in range(3):
        await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert len(asking.asked) == 2


async def test_a_turn_whose_parent_was_forgotten_is_not_remembered(client: Client) -> None:
    store = await AnsweringStore(
        client, lambda question: History([turn(question.response_id, "a")])
    ).start()
    histories = StoreHistories(client, PLENTY)
    parent = await histories.past(TENANT, RESPONSE_ID, OWNER)
    histories.forget()
    histories.remember(turn(OTHER_ID, "b", previous_response_id=RESPONSE_ID), parent)
    await histories.past(TENANT, OTHER_ID, OWNER)
    # Another copy of the parent is not the one that the turn read.
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    histories.remember(turn(OTHER_ID, "c", previous_response_id=RESPONSE_ID), parent)
    assert texts(encode_input(await histories.past(TENANT, OTHER_ID, OWNER), b"")) == ["a"]
    assert [question.response_id for question in store.asked] == [
        RESPONSE_ID,
        OTHER_ID,
        RESPONSE_ID,
    ]


async def test_a_turn_that_never_read_its_parent_is_not_remembered_without_it(
    client: Client,
) -> None:
    store = await AnsweringStore(
        client, lambda _: History([turn(RESPONSE_ID, "a"), turn(OTHER_ID, "b")])
    ).start()
    histories = StoreHistories(client, PLENTY)
    # It was cancelled before it was sampled.
    histories.remember(turn(OTHER_ID, "b", previous_response_id=RESPONSE_ID), None)
    past = await histories.past(TENANT, OTHER_ID, OWNER)
    assert texts(encode_input(past, b"")) == ["a", "b"]
    assert len(store.asked) == 1


async def test_after_a_reconnection_nothing_from_before_is_trusted(client: Client) -> None:
    store = await AnsweringStore(
        client, lambda question: History([turn(question.response_id, "a")])
    ).start()
    histories = StoreHistories(client, PLENTY)
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    client.stats["reconnects"] += 1
    parent = await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert len(store.asked) == 2
    client.stats["reconnects"] += 1
    histories.remember(turn(OTHER_ID, "b", previous_response_id=RESPONSE_ID), parent)
    await histories.past(TENANT, OTHER_ID, OWNER)
    assert len(store.asked) == 3


async def test_an_orchestrator_that_hears_of_a_change_forgets(client: Client) -> None:
    store = await AnsweringStore(client, lambda _: History([turn(RESPONSE_ID, "a")])).start()
    histories = StoreHistories(client, PLENTY)
    world = World()
    orchestrator = TurnHandlers(replace(world.ports(), histories=histories))
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    orchestrator.turn_changed()
    await histories.past(TENANT, RESPONSE_ID, OWNER)
    assert len(store.asked) == 2
