"""A gateway at work on a limit state: what it costs, and what if that cannot be written."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limits.allowances import Account, Allowance
from turnwire_gateway.limits.limit_state import (
    Acquisition,
    Clock,
    LimitState,
    QuotaRefused,
    QuotaReleased,
)
from turnwire_gateway.limits.limit_states import (
    LimitStatesUnavailableError,
    MemoryLimitStates,
    MovedError,
    StoredLimitState,
)
from turnwire_gateway.limits.tenant_limiter import TenantLimiter
from turnwire_gateway.limits.window import total
from turnwire_testing.waiting import eventually

ACME = TenantId("acme")
CLOCK = Clock(1_000_000, 60_000)


class CountingLimitStates(MemoryLimitStates):
    """Ledgers that take a moment, count what they are asked, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.writes = 0
        self.away = False

    async def read(self, tenant: TenantId) -> StoredLimitState:
        self.reads += 1
        return await super().read(tenant)

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        self.writes += 1
        await asyncio.sleep(0)
        if self.away:
            raise LimitStatesUnavailableError(tenant)
        return await super().write(tenant, limit_state, revision)


class UnconfirmedLimitStates(CountingLimitStates):
    """Limit states that keep one write and do not confirm it: others write, then it fails."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__()
        self.error = error
        self.others: Callable[[], Awaitable[object]] | None = None

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        revision = await super().write(tenant, limit_state, revision)
        others, self.others = self.others, None
        if others is not None:
            await others()
            raise self.error(tenant)
        return revision


def account(**allowance: int) -> tuple[Account, ...]:
    return (Account("tenant", Allowance(**allowance)),)


def tenant_limiter(limit_states: CountingLimitStates, name: str = "a") -> TenantLimiter:
    return TenantLimiter(ACME, limit_states, name, lambda: CLOCK)


async def test_a_crowd_costs_the_broker_two_writes() -> None:
    limit_states = CountingLimitStates()
    asked = Acquisition(account(requests_per_minute=1000), requests=1)
    here = tenant_limiter(limit_states)
    await asyncio.gather(*(here.acquire(asked) for _ in range(500)))
    await asyncio.gather(*(here.acquire(asked) for _ in range(500)))
    assert limit_states.writes == 2
    assert isinstance(await here.acquire(asked), QuotaRefused)


async def test_a_flood_over_a_rate_asks_nobody() -> None:
    limit_states = CountingLimitStates()
    asked = Acquisition(account(requests_per_minute=1), requests=1)
    here = tenant_limiter(limit_states)
    await here.acquire(asked)
    before = (limit_states.reads, limit_states.writes)
    refused = [here.refusal(asked) for _ in range(100)]
    assert all(each is not None and each.kind == "requests" for each in refused)
    assert (limit_states.reads, limit_states.writes) == before


async def test_places_that_another_gateway_gave_back_are_found() -> None:
    limit_states = CountingLimitStates()
    turn = Acquisition(account(concurrent_turns=1), turns=1)
    one, other = tenant_limiter(limit_states, "one"), tenant_limiter(limit_states, "other")
    await other.acquire(turn)
    assert isinstance(await one.acquire(turn), QuotaRefused)
    other.release(turn)

    async def is_acquired() -> bool:
        return not isinstance(await one.acquire(turn), QuotaRefused)

    await eventually(is_acquired)


async def test_who_leaves_while_it_is_written_takes_no_place() -> None:
    limit_states = CountingLimitStates()
    turn = Acquisition(account(concurrent_turns=1), turns=1)
    here = tenant_limiter(limit_states)
    asking = asyncio.create_task(here.acquire(turn))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async def is_acquired() -> bool:
        return not isinstance(await here.acquire(turn), QuotaRefused)

    await eventually(is_acquired)


async def test_a_clock_that_was_far_ahead_is_put_right_by_the_next_who_asks() -> None:
    limit_states, now = CountingLimitStates(), [10_000_000]
    asked = Acquisition(account(requests_per_minute=1), requests=1)
    ahead = TenantLimiter(ACME, limit_states, "ahead", lambda: Clock(now[0] + 3_600_000, 60_000))
    here = TenantLimiter(ACME, limit_states, "here", lambda: Clock(now[0], 60_000))
    await ahead.acquire(asked)
    assert isinstance(await here.acquire(asked), QuotaRefused)
    now[0] += 60_000
    assert here.refusal(asked) is None
    assert not isinstance(await here.acquire(asked), QuotaRefused)


async def test_while_the_broker_is_away_nobody_is_let_in_and_no_end_is_forgotten() -> None:
    limit_states = CountingLimitStates()
    asked = Acquisition(account(requests_per_minute=9, tokens_per_minute=10), requests=1)
    here = tenant_limiter(limit_states)
    limit_states.away = True
    here.end(QuotaReleased("resp_1", ("tenant",), 10))
    with pytest.raises(LimitStatesUnavailableError):
        await here.acquire(asked)
    limit_states.away = False
    here.keep()
    refused = await here.acquire(asked)
    assert isinstance(refused, QuotaRefused)
    assert refused.kind == "tokens"


@pytest.mark.parametrize("error", [MovedError, LimitStatesUnavailableError])
async def test_a_step_that_was_written_and_not_confirmed_is_charged_once(
    error: type[Exception],
) -> None:
    """Found by the simulation (c3t3f2s157)."""
    limit_states = UnconfirmedLimitStates(error)
    here, there = tenant_limiter(limit_states, "here"), tenant_limiter(limit_states, "there")
    asked = Acquisition(account(requests_per_minute=9), requests=1)
    limit_states.others = lambda: there.acquire(asked)
    here.end(QuotaReleased("resp_1", ("tenant",), 10))

    async def is_charged() -> bool:
        here.keep()
        await here.finish()
        used = (await limit_states.read(ACME)).limit_state.used["tenant"]
        return limit_states.others is None and total(used.tokens) == 10 and len(used.requests) == 1

    await eventually(is_charged)
    await here.acquire(asked)
    used = (await limit_states.read(ACME)).limit_state.used["tenant"]
    assert (total(used.tokens), total(used.requests)) == (10, 2)


async def test_a_background_turn_that_was_counted_and_refused_is_let_go() -> None:
    limit_states = UnconfirmedLimitStates(LimitStatesUnavailableError)
    here, there = tenant_limiter(limit_states, "here"), tenant_limiter(limit_states, "there")
    limit_states.others = lambda: there.acquire(Acquisition(account(requests_per_minute=9), 1))
    turn = Acquisition(
        account(concurrent_turns=1), turns=1, background="resp_1", until=CLOCK.now + 3_600_000
    )
    with pytest.raises(LimitStatesUnavailableError):
        await here.acquire(turn)
    here.keep()

    async def is_free() -> bool:
        return not (await limit_states.read(ACME)).limit_state.background

    await eventually(is_free)


class NearlyWrittenLimitStates(CountingLimitStates):
    """Limit states that confirm nothing for a while, though they keep what `keeps` says.

    What they do not keep `comes_late`: when it was read that it is not there.
    """

    def __init__(self, keeps: Sequence[bool]) -> None:
        super().__init__()
        self.keeps = list(keeps)
        self.comes_late = False
        self._late: LimitState | None = None

    async def read(self, tenant: TenantId) -> StoredLimitState:
        stored = await super().read(tenant)
        late, self._late = self._late, None
        if late is not None:
            await MemoryLimitStates.write(self, tenant, late, stored.revision)
        return stored

    async def write(self, tenant: TenantId, limit_state: LimitState, revision: int) -> int:
        if not self.keeps:
            return await super().write(tenant, limit_state, revision)
        if self.keeps.pop(0):
            await super().write(tenant, limit_state, revision)
        elif self.comes_late:
            self._late = limit_state
        raise LimitStatesUnavailableError(tenant)


@pytest.mark.parametrize(
    "keeps",
    [(True, False), (False, True), (True, False, False), (False, True, False), (True, True)],
)
async def test_steps_that_fail_one_after_the_other_are_charged_once(
    keeps: tuple[bool, ...],
) -> None:
    limit_states = NearlyWrittenLimitStates(keeps)
    here = tenant_limiter(limit_states)
    for number, _ in enumerate(keeps):
        here.end(QuotaReleased(f"resp_{number}", ("tenant",), 10))
        await here.finish()
    await here.finish()
    used = (await limit_states.read(ACME)).limit_state.used["tenant"]
    assert total(used.tokens) == 10 * len(keeps)


async def test_a_step_that_comes_to_be_written_after_it_was_looked_for_is_charged_once() -> None:
    limit_states = NearlyWrittenLimitStates([False])
    limit_states.comes_late = True
    here = tenant_limiter(limit_states)
    here.end(QuotaReleased("resp_1", ("tenant",), 10))
    await here.finish()
    await here.finish()
    used = (await limit_states.read(ACME)).limit_state.used["tenant"]
    assert total(used.tokens) == 10
