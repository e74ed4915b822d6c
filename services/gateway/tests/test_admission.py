"""What is settled before a turn is requested: references, its place, and whether it came before."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import (
    OwnerId,
    ResponseId,
    TenantId,
    input_item_id,
    is_response_id,
    output_item_id,
)
from turnwire_contracts.turn import ClosedTurn
from turnwire_gateway.admitting.admission import Admission, keyed
from turnwire_gateway.admitting.references import References
from turnwire_gateway.answers.errors import ApiError
from turnwire_gateway.conversations.register import Register
from turnwire_gateway.identity import Caller
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
owners = st.text(max_size=9)
keys = st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=1, max_size=9)


class Settling:
    """An admission that reads from a log in memory."""

    def __init__(self, log: ReadableLog | None = None, most_bytes: int = 1000) -> None:
        """Nothing has happened yet."""
        self.now = AT
        self.log = log or ReadableLog()
        store = StoreInMemory(self.log)
        self.register = Register(self.log, store, self._now_ms)
        references = References(store, most_bytes)
        self.admission = Admission(self.log, references, self.register, store, self._now_ms)

    def _now_ms(self) -> int:
        return self.now

    async def happened(self, *events: Any) -> None:
        """Put events into the log."""
        for event in events:
            await self.log.append(event, None)

    async def resolved(self, *items: Item, caller: Caller = CALLER) -> list[Item]:
        """Admit a request with these items; gives those of the turn."""
        return (await self.admission.admit(caller, requested(input=[*items]))).input


def reference(item_id: str) -> Item:
    """Refer to an item."""
    return {"type": "item_reference", "id": item_id}


async def failure_of(settling: Any) -> tuple[int, str, str | None]:
    """Settle something that is refused."""
    with pytest.raises(ApiError) as raised:
        await settling
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


async def test_items_take_the_place_of_references_to_them() -> None:
    settling = Settling()
    await settling.happened(requested(), closed())
    given_items = [user("First."), reference(SAID), reference(ASKED), reference(SAID)]
    assert await settling.resolved(*given_items) == [
        user("First."),
        message("Hi."),
        {**user("Hello?"), "id": ASKED},
        message("Hi."),
    ]


async def test_references_to_what_others_named_are_left_to_the_history() -> None:
    assert await Settling().resolved(reference("msg_theirs")) == [reference("msg_theirs")]


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
    settling = Settling()
    await settling.happened(*life)
    refused = await failure_of(settling.resolved(user("First."), reference(SAID)))
    assert refused == (404, "item_not_found", "input")


async def test_another_tenant_finds_nothing_to_refer_to() -> None:
    settling = Settling()
    await settling.happened(requested(), closed())
    other = Caller(TenantId("other"), OWNER, frozenset({"admin"}))
    refused = await failure_of(settling.resolved(reference(SAID), caller=other))
    assert refused == (404, "item_not_found", "input")


async def test_what_was_abandoned_can_be_referred_to_as_it_was_shown() -> None:
    seen = message("Hal", status="incomplete")
    settling = Settling()
    end = closed(output=[message("Hi.", 1)])
    await settling.happened(requested(stream=True), taken_over(abandoned=[seen], cuts=[["D"]]), end)
    assert await settling.resolved(reference(SAID)) == [seen]


async def test_short_references_to_long_items_count_by_what_they_stand_for() -> None:
    settling = Settling()
    await settling.happened(requested(), closed(output=[message("x" * 400)]))
    assert await settling.resolved(reference(SAID)) == [message("x" * 400)]
    refused = await failure_of(settling.resolved(*[reference(SAID)] * 2))
    assert refused == (413, "request_too_large", None)


async def test_there_is_an_end_to_what_one_request_makes_the_store_do() -> None:
    names = [input_item_id(ResponseId(f"resp_{n:032x}"), 0, "message") for n in range(1001)]
    refused = await failure_of(Settling().resolved(*map(reference, names)))
    assert refused == (400, "invalid_value", "input")


@given(owners, owners, keys)
def test_a_key_names_one_turn_of_one_user(first: str, second: str, key: str) -> None:
    names = {
        (tenant, owner, each): keyed(
            requested(tenant=TenantId(tenant), owner=OwnerId(owner)), each, b"{}"
        )
        for tenant in ("acme", "other")
        for owner in (first, second)
        for each in (key, f"{key}.")
    }
    assert len({request.response_id for request in names.values()}) == len(names)
    for (tenant, owner, each), request in names.items():
        again = requested(tenant=TenantId(tenant), owner=OwnerId(owner), response_id=OTHER_ID)
        assert keyed(again, each, b"other").response_id == request.response_id
        assert is_response_id(request.response_id)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_fingerprint_tells_bodies_apart(first: bytes, second: bytes) -> None:
    prints = {keyed(requested(), "k", body).fingerprint for body in (first, second)}
    assert len(prints) == len({first, second})


async def test_a_request_without_a_key_never_came_before() -> None:
    settling = Settling()
    await settling.happened(requested())
    assert await settling.admission.repeated(requested()) is None


@pytest.mark.parametrize("over", [False, True], ids=["running", "over"])
async def test_a_request_that_comes_again_is_the_one_that_came_before(*, over: bool) -> None:
    settling = Settling()
    before = keyed(requested(), "k", b"{}")
    await settling.happened(before)
    if over:
        await settling.happened(closed(response_id=before.response_id))
    again = keyed(requested(at=AT + 60_000, cause="req_2"), "k", b"{}")
    assert await settling.admission.repeated(again) == before


async def test_a_key_with_another_body_is_refused() -> None:
    settling = Settling()
    await settling.happened(keyed(requested(), "k", b"{}"))
    other = keyed(requested(), "k", b"{ }")
    refused = await failure_of(settling.admission.repeated(other))
    assert refused == (409, "idempotency_key_reused", None)


@pytest.mark.parametrize(
    "end", [[closed(), deleted()], [closed(), purged()], None], ids=["deleted", "purged", "erased"]
)
async def test_a_key_whose_answer_is_gone_is_spent(end: list[Any] | None) -> None:
    settling = Settling()
    request = keyed(requested(store=end is not None), "k", b"{}")
    of_it = {"response_id": request.response_id}
    if end is None:
        await settling.happened(closed(**of_it, stored=False))
    else:
        await settling.happened(request, *(replace(event, **of_it) for event in end))
    refused = await failure_of(settling.admission.repeated(request))
    assert refused == (409, "idempotency_key_spent", None)


async def test_without_a_log_nobody_knows_what_came_before() -> None:
    class Away(ReadableLog):
        async def read(self, tenant: TenantId, response_id: ResponseId) -> list[Recorded]:
            del tenant, response_id
            raise LogUnavailableError("away")

    asked = keyed(requested(), "k", b"{}")
    refused = await failure_of(Settling(Away()).admission.repeated(asked))
    assert refused == (503, "event_log_unavailable", None)


async def test_a_turn_that_only_is_counted_takes_no_place() -> None:
    settling = Settling()
    await settling.happened(conversation_created())
    asked = requested(conversation=CONVERSATION_ID)
    assert (await settling.admission.peek(CALLER, asked)).previous_response_id is None
    conversation, _ = settling.log.conversation(TENANT, CONVERSATION_ID)
    assert conversation is not None
    assert conversation.last is None


async def test_a_turn_that_is_not_stored_reads_a_conversation_and_takes_no_place() -> None:
    settling = Settling()
    await settling.happened(conversation_created())
    first = await settling.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    await settling.happened(first, closed())
    unstored = requested(response_id=OTHER_ID, conversation=CONVERSATION_ID, store=False)
    admitted = await settling.admission.admit(CALLER, unstored)
    assert admitted.previous_response_id == RESPONSE_ID
    conversation, _ = settling.log.conversation(TENANT, CONVERSATION_ID)
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
    settling = Settling()
    await settling.happened(*life)
    asked = requested(response_id=OTHER_ID, previous_response_id=RESPONSE_ID)
    checked = settling.admission.check_previous(Caller(TENANT, OwnerId(whose)), asked)
    assert await failure_of(checked) == (*refused, "previous_response_id")


async def test_ones_own_that_has_ended_can_be_continued_and_what_continues_nothing_too() -> None:
    settling = Settling()
    await settling.happened(requested(), closed())
    for previous in (RESPONSE_ID, None):
        asked = requested(response_id=OTHER_ID, previous_response_id=previous)
        await settling.admission.check_previous(CALLER, asked)


@pytest.mark.parametrize("store", [True, False], ids=["stored", "not stored"])
async def test_while_a_turn_runs_its_conversation_is_locked_and_can_be_counted(
    *, store: bool
) -> None:
    settling = Settling()
    await settling.happened(conversation_created())
    first = await settling.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    await settling.happened(first)
    second = requested(response_id=OTHER_ID, conversation=CONVERSATION_ID, store=store)
    refused = await failure_of(settling.admission.admit(CALLER, second))
    assert refused == (409, "conversation_locked", "conversation")
    assert (await settling.admission.peek(CALLER, second)).previous_response_id is None


async def test_a_place_that_came_late_is_not_used() -> None:
    class Slow(ReadableLog):
        async def append(self, event: Any, expected: int | None) -> int:
            settling.now += 5_001
            return await super().append(event, expected)

    settling = Settling(Slow())
    await settling.happened(conversation_created())
    refused = await failure_of(
        settling.admission.admit(CALLER, requested(conversation=CONVERSATION_ID))
    )
    assert refused == (409, "conversation_locked", "conversation")


async def test_a_keyed_turn_that_is_asked_for_again_keeps_its_place() -> None:
    settling = Settling()
    await settling.happened(conversation_created())
    request: Requested = keyed(requested(conversation=CONVERSATION_ID), "k", b"{}")
    await settling.admission.admit(CALLER, request)
    # Its gateway died before it requested the turn, and its client tries again.
    assert await settling.admission.repeated(request) is None
    again = await settling.admission.admit(CALLER, request)
    await settling.happened(again, closed(response_id=again.response_id))
    assert isinstance(settling.log.turn(TENANT, again.response_id), ClosedTurn)
