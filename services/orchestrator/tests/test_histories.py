"""Histories come from memory where they are recent, and else from the store, page by page."""

from collections.abc import AsyncGenerator, Callable

import nats
import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queries import STORE_HISTORY, AskForHistory, History, Missing, Running
from turnwire_contracts.turn import ClosedTurn, fold
from turnwire_orchestrator.histories import StoreHistories
from turnwire_orchestrator.ports import TurnFailedError
from turnwire_orchestrator.prompting.history import encode_input
from turnwire_testing.examples import OTHER_ID, OWNER, RESPONSE_ID, TENANT, closed, requested, user

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
        question = STORE_HISTORY.asked(message.data)
        self.asked.append(question)
        await message.respond(STORE_HISTORY.answer(self._store(question)))


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


async def test_without_a_store_the_turn_fails_at_once(client: Client) -> None:
    assert await failure_code(StoreHistories(client, PLENTY)) == "store_unavailable"
