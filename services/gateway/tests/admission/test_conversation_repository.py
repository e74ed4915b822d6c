"""The register of conversations: of two turns at the same time one gets the place."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.conversation_events import TurnAdded
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId
from turnwire_contracts.queries import FoundConversation
from turnwire_contracts.turn_state import NotRequested
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.auth.caller import ADMIN, Caller
from turnwire_gateway.errors import ApiError
from turnwire_testing.away_logs import AwayLog
from turnwire_testing.examples import (
    AT,
    CONVERSATION_ID,
    OWNER,
    TENANT,
    closed,
    conversation_created,
    conversation_deleted,
    deleted,
    purged,
    requested,
)
from turnwire_testing.memory_event_log import Event
from turnwire_testing.stores import ReadableLog, Steps, StoreInMemory

CALLER = Caller(TENANT, OWNER)
NAMES = [ResponseId(f"resp_{number:032x}") for number in range(5)]
choices = st.lists(st.integers(0, 5), max_size=60)


class SteppedLog(ReadableLog):
    """A log in which a test decides whose append or read comes next."""

    def __init__(self, steps: Steps) -> None:
        """Go by these steps."""
        super().__init__()
        self._steps = steps

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`; others may come before it, and before its confirmation."""
        await self._steps.pause()
        sequence = await super().append(event, expected)
        await self._steps.pause()
        return sequence

    async def read(
        self, tenant: TenantId, response_id: ResponseId, after: int = 0
    ) -> list[Recorded]:
        """See `EventLog.read`."""
        await self._steps.pause()
        return await super().read(tenant, response_id, after)


class RepositorySetup:
    """A register over a log in memory, and a clock."""

    def __init__(self, log: ReadableLog | None = None, steps: Steps | None = None) -> None:
        """One conversation has begun."""
        self.now = AT
        self.log = log or ReadableLog()
        self.repository = ConversationRepository(
            self.log, StoreInMemory(self.log, steps), self._now_ms
        )

    def _now_ms(self) -> int:
        return self.now

    async def happened(self, *events: Event) -> "RepositorySetup":
        """Put events into the log."""
        for event in events:
            await ReadableLog.append(self.log, event, None)
        return self

    async def found(self, caller: Caller = CALLER, *, deleted: bool = False) -> FoundConversation:
        """Find the conversation."""
        return await self.repository.find(caller, CONVERSATION_ID, deleted=deleted)

    async def add(self, response_id: ResponseId, caller: Caller = CALLER) -> ResponseId | None:
        """Find the conversation and take a place in it, as admission does."""
        found = await self.found(caller)
        return await self.repository.add_turn(caller, found, response_id, "req_1")

    async def turn(self, number: int, **end: Any) -> ResponseId | None:
        """Hold a whole turn; gives the one before it."""
        base = await self.add(NAMES[number])
        about = {"response_id": NAMES[number]}
        await self.happened(
            requested(**about, conversation=CONVERSATION_ID, previous_response_id=base),
            closed(**{**about, **end}),
        )
        return base

    def places(self) -> list[ResponseId]:
        """Name the turns that took a place, in their order."""
        told = self.log.told(TENANT, CONVERSATION_ID)
        return [event.response_id for event in told if isinstance(event, TurnAdded)]


async def begun() -> RepositorySetup:
    """Open a setup with one conversation."""
    return await RepositorySetup().happened(conversation_created())


def code_of(result: object) -> str | None:
    """Name the error that came of something."""
    return result.failure.code if isinstance(result, ApiError) else None


async def failure_of(doing: Any) -> tuple[int, str, str | None]:
    """Do something that is refused."""
    with pytest.raises(ApiError) as raised:
        await doing
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


async def race(taken: list[int], turns: int, *, renamed: bool, spoken: bool) -> None:
    steps = Steps()
    setup = await RepositorySetup(SteppedLog(steps), steps).happened(conversation_created())
    if spoken:
        await setup.happened(
            requested(conversation=CONVERSATION_ID, response_id=NAMES[4]),
            closed(response_id=NAMES[4]),
        )
        await setup.happened(
            TurnAdded(
                v=1,
                tenant=TENANT,
                conversation_id=CONVERSATION_ID,
                at=AT,
                cause="req_0",
                response_id=NAMES[4],
            )
        )
    before = len(setup.places())

    async def rename() -> None:
        found = await setup.found()
        await setup.repository.rename(CALLER, found, {"topic": "x"}, "req_2")

    adding = [asyncio.create_task(setup.add(NAMES[number])) for number in range(turns)]
    others = [asyncio.create_task(rename())] if renamed else []
    async with asyncio.timeout(30):
        await steps.run([*adding, *others], taken)
    results = await asyncio.gather(*adding, return_exceptions=True)
    admitted = [name for name, result in zip(NAMES, results, strict=False) if not code_of(result)]
    assert len(admitted) == 1
    assert setup.places()[before:] == admitted
    assert results[NAMES.index(admitted[0])] == (NAMES[4] if spoken else None)
    codes = {code_of(result) for result in results} - {None}
    assert codes == {"conversation_locked"}
    for each in others:
        await each


@settings(max_examples=150, deadline=None)
@given(taken=choices, turns=st.integers(2, 3), renamed=st.booleans(), spoken=st.booleans())
def test_of_turns_that_race_for_a_conversation_exactly_one_is_admitted(
    *, taken: list[int], turns: int, renamed: bool, spoken: bool
) -> None:
    asyncio.run(race(taken, turns, renamed=renamed, spoken=spoken))


@settings(max_examples=80, deadline=None)
@given(taken=choices)
def test_a_conversation_is_deleted_or_goes_on_and_never_both(taken: list[int]) -> None:
    async def run() -> None:
        steps = Steps()
        setup = await RepositorySetup(SteppedLog(steps), steps).happened(conversation_created())

        async def delete() -> None:
            await setup.repository.delete(CALLER, await setup.found(deleted=True), "req_2")

        doing = [asyncio.create_task(setup.add(NAMES[0])), asyncio.create_task(delete())]
        async with asyncio.timeout(30):
            await steps.run(doing, taken)
        added, gone = await asyncio.gather(*doing, return_exceptions=True)
        conversation, _ = setup.log.conversation(TENANT, CONVERSATION_ID)
        assert conversation is not None
        if code_of(added) is None:
            assert code_of(gone) == "conversation_locked"
        else:
            assert code_of(added) == "conversation_not_found"
        assert conversation.deleted is (code_of(gone) is None)
        assert setup.places() == ([] if conversation.deleted else [NAMES[0]])

    asyncio.run(run())


@settings(max_examples=50, deadline=None)
@given(taken=choices)
def test_who_deletes_what_another_deletes_at_the_same_time_hears_the_same(taken: list[int]) -> None:
    async def run() -> None:
        steps = Steps()
        setup = await RepositorySetup(SteppedLog(steps), steps).happened(conversation_created())

        async def delete(cause: str) -> None:
            await setup.repository.delete(CALLER, await setup.found(deleted=True), cause)

        doing = [asyncio.create_task(delete(cause)) for cause in ("req_1", "req_2")]
        async with asyncio.timeout(30):
            await steps.run(doing, taken)
        for each in doing:
            await each
        assert len(setup.log.told(TENANT, CONVERSATION_ID)) == 2

    asyncio.run(run())


async def test_turns_follow_one_another() -> None:
    setup = await begun()
    assert [await setup.turn(number) for number in range(3)] == [None, NAMES[0], NAMES[1]]
    assert await setup.repository.head(await setup.found()) == NAMES[2]


@pytest.mark.parametrize(
    "end",
    [{"status": "failed"}, {"stored": False, "output": []}],
    ids=["failed", "not stored"],
)
async def test_a_turn_that_came_to_nothing_is_passed_over(end: dict[str, Any]) -> None:
    setup = await begun()
    await setup.turn(0)
    await setup.turn(1, **end)
    assert await setup.turn(2) == NAMES[0]


async def test_a_cancelled_turn_leaves_what_it_said() -> None:
    setup = await begun()
    await setup.turn(0, status="cancelled")
    assert await setup.turn(1) == NAMES[0]


async def test_turns_that_were_deleted_are_passed_over_as_far_as_it_takes() -> None:
    setup = await begun()
    for number in range(3):
        await setup.turn(number)
    await setup.happened(*(deleted(response_id=name) for name in NAMES[1:3]))
    assert await setup.turn(3) == NAMES[0]


async def test_a_turn_that_was_purged_is_passed_over() -> None:
    setup = await begun()
    await setup.turn(0)
    await setup.turn(1)
    await setup.happened(purged(response_id=NAMES[1]))
    assert await setup.turn(2) == NAMES[0]


async def test_while_a_turn_runs_the_one_before_it_is_the_last_that_ended() -> None:
    setup = await begun()
    await setup.turn(0)
    base = await setup.add(NAMES[1])
    await setup.happened(requested(response_id=NAMES[1], previous_response_id=base))
    found = await setup.found()
    assert (await failure_of(setup.repository.head(found)))[1] == "conversation_locked"
    assert await setup.repository.ended_head(found) == NAMES[0]


async def test_a_place_that_nobody_used_is_given_to_another_after_a_while() -> None:
    setup = await begun()
    await setup.add(NAMES[0])
    assert (await failure_of(setup.add(NAMES[1])))[1] == "conversation_locked"
    setup.now += 10_000
    assert isinstance(setup.log.turn(TENANT, NAMES[0]), NotRequested)
    assert await setup.add(NAMES[1]) is None


async def test_who_asks_again_still_has_its_place_or_takes_it_anew() -> None:
    setup = await begun()
    await setup.turn(0)
    assert await setup.add(NAMES[1]) == NAMES[0]
    assert await setup.add(NAMES[1]) == NAMES[0]
    assert setup.places() == [NAMES[0], NAMES[1]]
    setup.now += 60_000
    assert await setup.add(NAMES[1]) == NAMES[0]
    assert setup.places() == [NAMES[0], NAMES[1], NAMES[1]]
    assert (await failure_of(setup.add(NAMES[2])))[1] == "conversation_locked"


async def test_a_conversation_can_be_renamed_while_a_turn_runs() -> None:
    setup = await begun()
    await setup.add(NAMES[0])
    await setup.happened(requested(response_id=NAMES[0]))
    renamed = await setup.repository.rename(CALLER, await setup.found(), {"topic": "x"}, "req_2")
    assert renamed.conversation.metadata == {"topic": "x"}
    assert renamed.conversation.last == NAMES[0]


@pytest.mark.parametrize("running", ["requested", "placed"])
async def test_a_conversation_in_which_a_turn_runs_cannot_be_deleted(running: str) -> None:
    setup = await begun()
    await setup.add(NAMES[0])
    if running == "requested":
        await setup.happened(requested(response_id=NAMES[0]))
    refused = await failure_of(setup.repository.delete(CALLER, await setup.found(), "req_2"))
    assert refused == (409, "conversation_locked", "conversation")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=6))
def test_a_conversation_is_as_it_was_wished_last(wishes: list[bool]) -> None:
    async def run() -> None:
        setup = await begun()
        for gone in wishes:
            command = setup.repository.delete if gone else setup.repository.restore
            await command(CALLER, await setup.found(deleted=True), "req_1")
        conversation, sequence = setup.log.conversation(TENANT, CONVERSATION_ID)
        assert conversation is not None
        assert conversation.deleted is bool(wishes and wishes[-1])
        changes = sum(a != b for a, b in zip([False, *wishes], wishes, strict=False))
        assert sequence == 1 + changes

    asyncio.run(run())


@pytest.mark.parametrize(
    "who",
    [Caller(TENANT, OwnerId("bob")), Caller(TenantId("other"), OWNER, frozenset({ADMIN}))],
    ids=["another user", "another tenant's admin"],
)
async def test_what_is_not_theirs_is_not_there(who: Caller) -> None:
    setup = await begun()
    refused = await failure_of(setup.repository.find(who, CONVERSATION_ID, param="conversation"))
    assert refused == (404, "conversation_not_found", "conversation")


async def test_an_admin_finds_what_others_have() -> None:
    setup = await begun()
    admin = Caller(TENANT, OwnerId("root"), frozenset({ADMIN}))
    assert (await setup.found(admin)).conversation.owner == OWNER


async def test_what_was_deleted_is_found_by_whoever_says_so() -> None:
    setup = await (await begun()).happened(conversation_deleted())
    assert (await failure_of(setup.found()))[1] == "conversation_not_found"
    assert (await setup.found(deleted=True)).conversation.deleted


async def test_a_conversation_that_was_purged_is_nowhere() -> None:
    setup = await begun()
    await setup.repository.purge(CALLER, CONVERSATION_ID, "req_1")
    assert (await failure_of(setup.found(deleted=True)))[1] == "conversation_not_found"


async def test_a_log_that_is_away_is_said_to_be() -> None:
    setup = await RepositorySetup(AwayLog()).happened(conversation_created())
    away = (503, "event_log_unavailable", None)
    assert await failure_of(setup.add(NAMES[0])) == away
    found = await setup.found()
    assert await failure_of(setup.repository.rename(CALLER, found, {}, "req_1")) == away
    assert await failure_of(setup.repository.turn(TENANT, NAMES[0])) == away
    busy = replace(found, conversation=replace(found.conversation, last=NAMES[0]))
    assert await failure_of(setup.repository.head(busy)) == away
