"""What is settled before a turn is requested: references, and its place in a conversation."""

from typing import Any

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.ids import (
    OwnerId,
    ResponseId,
    TenantId,
    input_item_id,
    output_item_id,
)
from turnwire_gateway.admission.admission import Admission
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.admission.references import References
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import (
    AT,
    CONVERSATION_ID,
    OTHER_ID,
    OWNER,
    RESPONSE_ID,
    TENANT,
    closed,
    conversation_created,
    deleted,
    item_removed,
    message,
    purged,
    requested,
    taken_over,
    user,
)
from turnwire_testing.stores import ReadableLog, StoreInMemory

CALLER = Caller(TENANT, OWNER)
ASKED = input_item_id(RESPONSE_ID, 0, "message")
SAID = output_item_id(RESPONSE_ID, 0, "message")


class AdmissionSetup:
    """An admission that reads from a log in memory."""

    def __init__(self, log: ReadableLog | None = None, most_bytes: int = 1000) -> None:
        self.now = AT
        self.log = log or ReadableLog()
        store = StoreInMemory(self.log)
        self.repository = ConversationRepository(self.log, store, self._now_ms)
        references = References(store, most_bytes)
        self.admission = Admission(references, self.repository, store, self._now_ms)

    def _now_ms(self) -> int:
        return self.now

    async def happened(self, *events: Any) -> None:
        """Put events into the log."""
        for event in events:
            await self.log.append(event, None)

    async def resolved(self, *items: Item, caller: Caller = CALLER) -> list[Item]:
        """Admit a request with these items; gives those of the turn."""
        return (await self.admission.admit(caller, requested(input=[*items]))).request.input


def reference(item_id: str) -> Item:
    """Refer to an item."""
    return {"type": "item_reference", "id": item_id}


async def failure_of(setup: Any) -> tuple[int, str, str | None]:
    """Settle something that is refused."""
    with pytest.raises(ApiError) as raised:
        await setup
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


async def test_items_take_the_place_of_references_to_them() -> None:
    setup = AdmissionSetup()
    await setup.happened(requested(), closed())
    given_items = [user("First."), reference(SAID), reference(ASKED), reference(SAID)]
    assert await setup.resolved(*given_items) == [
        user("First."),
        message("Hi."),
        {**user("Hello?"), "id": ASKED},
        message("Hi."),
    ]


async def test_references_to_what_others_named_are_left_to_the_history() -> None:
    assert await AdmissionSetup().resolved(reference("msg_theirs")) == [reference("msg_theirs")]


@pytest.mark.parametrize(
    "life",
    [
        [],
        [requested()],
        [requested(), closed(), deleted()],
        [requested(), closed(), purged()],
        [closed(stored=False)],
        [requested(), closed(), item_removed(item_id=SAID)],
        [requested(owner=OwnerId("bob")), closed()],
        [requested(), closed(output=[])],
    ],
    ids=[
        "unknown",
        "running",
        "deleted",
        "purged",
        "not stored",
        "taken out",
        "of another user",
        "without such an item",
    ],
)
async def test_a_reference_to_what_is_not_there_is_refused(life: list[Any]) -> None:
    setup = AdmissionSetup()
    await setup.happened(*life)
    refused = await failure_of(setup.resolved(user("First."), reference(SAID)))
    assert refused == (404, "item_not_found", "input")


async def test_another_tenant_finds_nothing_to_refer_to() -> None:
    setup = AdmissionSetup()
    await setup.happened(requested(), closed())
    other = Caller(TenantId("other"), OWNER, frozenset({"admin"}))
    refused = await failure_of(setup.resolved(reference(SAID), caller=other))
    assert refused == (404, "item_not_found", "input")


async def test_what_was_abandoned_can_be_referred_to_as_it_was_shown() -> None:
    seen = message("Hal", status="incomplete")
    setup = AdmissionSetup()
    end = closed(output=[message("Hi.", 1)])
    await setup.happened(requested(stream=True), taken_over(abandoned=[seen], cuts=[["D"]]), end)
    assert await setup.resolved(reference(SAID)) == [seen]


async def test_short_references_to_long_items_count_by_what_they_stand_for() -> None:
    setup = AdmissionSetup()
    await setup.happened(requested(), closed(output=[message("x" * 400)]))
    assert await setup.resolved(reference(SAID)) == [message("x" * 400)]
    refused = await failure_of(setup.resolved(*[reference(SAID)] * 2))
    assert refused == (413, "request_too_large", None)


async def test_there_is_an_end_to_what_one_request_makes_the_store_do() -> None:
    names = [input_item_id(ResponseId(f"resp_{n:032x}"), 0, "message") for n in range(1001)]
    refused = await failure_of(AdmissionSetup().resolved(*map(reference, names)))
    assert refused == (400, "invalid_value", "input")


async def test_a_turn_that_only_is_counted_takes_no_place() -> None:
    setup = AdmissionSetup()
    await setup.happened(conversation_created())
    asked = requested(conversation=CONVERSATION_ID)
    assert (await setup.admission.peek(CALLER, asked)).previous_response_id is None
    conversation, _ = setup.log.conversation(TENANT, CONVERSATION_ID)
    assert conversation is not None
    assert conversation.last is None


async def test_a_turn_that_is_not_stored_reads_a_conversation_and_takes_no_place() -> None:
    setup = AdmissionSetup()
    await setup.happened(conversation_created())
    first = await setup.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    await setup.happened(first.request, closed())
    unstored = requested(response_id=OTHER_ID, conversation=CONVERSATION_ID, store=False)
    admitted = await setup.admission.admit(CALLER, unstored)
    assert admitted.request.previous_response_id == RESPONSE_ID
    conversation, _ = setup.log.conversation(TENANT, CONVERSATION_ID)
    assert conversation is not None
    assert conversation.last == RESPONSE_ID


@pytest.mark.parametrize(
    ("life", "whose", "refused"),
    [
        ([], OWNER, (404, "previous_response_not_found")),
        ([requested()], OWNER, (425, "response_in_progress")),
        ([requested()], "somebody else", (404, "previous_response_not_found")),
        ([requested(), closed()], "somebody else", (404, "previous_response_not_found")),
        ([requested(), closed(), deleted()], OWNER, (404, "previous_response_not_found")),
        ([requested(), closed(), purged()], OWNER, (404, "previous_response_not_found")),
    ],
    ids=["never was", "runs", "another's that runs", "another's", "deleted", "purged"],
)
async def test_what_cannot_be_continued_is_refused(
    life: list[Any], whose: str, refused: tuple[int, str]
) -> None:
    setup = AdmissionSetup()
    await setup.happened(*life)
    asked = requested(response_id=OTHER_ID, previous_response_id=RESPONSE_ID)
    checked = setup.admission.check_previous(Caller(TENANT, OwnerId(whose)), asked)
    assert await failure_of(checked) == (*refused, "previous_response_id")


async def test_ones_own_that_has_ended_can_be_continued_and_what_continues_nothing_too() -> None:
    setup = AdmissionSetup()
    await setup.happened(requested(), closed())
    for previous in (RESPONSE_ID, None):
        asked = requested(response_id=OTHER_ID, previous_response_id=previous)
        await setup.admission.check_previous(CALLER, asked)


@pytest.mark.parametrize("store", [True, False], ids=["stored", "not stored"])
async def test_while_a_turn_runs_its_conversation_is_locked_and_can_be_counted(
    *, store: bool
) -> None:
    setup = AdmissionSetup()
    await setup.happened(conversation_created())
    first = await setup.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    await setup.happened(first.request)
    second = requested(response_id=OTHER_ID, conversation=CONVERSATION_ID, store=store)
    refused = await failure_of(setup.admission.admit(CALLER, second))
    assert refused == (409, "conversation_locked", "conversation")
    assert (await setup.admission.peek(CALLER, second)).previous_response_id is None


async def test_a_place_that_came_late_is_not_used() -> None:
    class Slow(ReadableLog):
        async def append(self, event: Any, expected: int | None) -> int:
            setup.now += 5_001
            return await super().append(event, expected)

    setup = AdmissionSetup(Slow())
    await setup.happened(conversation_created())
    refused = await failure_of(
        setup.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    )
    assert refused == (409, "conversation_locked", "conversation")
