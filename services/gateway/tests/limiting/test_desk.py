"""A gateway at work on a ledger: what it costs, and what happens when that cannot be written."""

import asyncio

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limiting.allowances import Account, Allowance
from turnwire_gateway.limiting.counting.desk import Desk
from turnwire_gateway.limiting.counting.ledger import Clock, Ended, Ledger, Refused, Want
from turnwire_gateway.limiting.counting.ledgers import (
    Kept,
    LedgersUnavailableError,
    MemoryLedgers,
)
from turnwire_testing.waiting import eventually

ACME = TenantId("acme")
CLOCK = Clock(1_000_000, 60_000)


class WatchedLedgers(MemoryLedgers):
    """Ledgers that take a moment, count what they are asked, and may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.writes = 0
        self.away = False

    async def read(self, tenant: TenantId) -> Kept:
        self.reads += 1
        return await super().read(tenant)

    async def write(self, tenant: TenantId, ledger: Ledger, revision: int) -> int:
        self.writes += 1
        await asyncio.sleep(0)
        if self.away:
            raise LedgersUnavailableError(tenant)
        return await super().write(tenant, ledger, revision)


def account(**allowance: int) -> tuple[Account, ...]:
    return (Account("tenant", Allowance(**allowance)),)


def desk(ledgers: WatchedLedgers, name: str = "a") -> Desk:
    return Desk(ACME, ledgers, name, lambda: CLOCK)


async def test_a_crowd_costs_the_broker_two_writes() -> None:
    ledgers = WatchedLedgers()
    asked = Want(account(requests_per_minute=1000), requests=1)
    here = desk(ledgers)
    await asyncio.gather(*(here.take(asked) for _ in range(500)))
    await asyncio.gather(*(here.take(asked) for _ in range(500)))
    assert ledgers.writes == 2
    assert isinstance(await here.take(asked), Refused)


async def test_a_flood_over_a_rate_asks_nobody() -> None:
    ledgers = WatchedLedgers()
    asked = Want(account(requests_per_minute=1), requests=1)
    here = desk(ledgers)
    await here.take(asked)
    before = (ledgers.reads, ledgers.writes)
    refused = [here.refusal(asked) for _ in range(100)]
    assert all(each is not None and each.kind == "requests" for each in refused)
    assert (ledgers.reads, ledgers.writes) == before


async def test_places_that_another_gateway_gave_back_are_found() -> None:
    ledgers = WatchedLedgers()
    turn = Want(account(concurrent_turns=1), turns=1)
    one, other = desk(ledgers, "one"), desk(ledgers, "other")
    await other.take(turn)
    assert isinstance(await one.take(turn), Refused)
    other.give_back(turn)

    async def is_let_in() -> bool:
        return not isinstance(await one.take(turn), Refused)

    await eventually(is_let_in)


async def test_who_leaves_while_it_is_written_takes_no_place() -> None:
    ledgers = WatchedLedgers()
    turn = Want(account(concurrent_turns=1), turns=1)
    here = desk(ledgers)
    asking = asyncio.create_task(here.take(turn))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    async def is_let_in() -> bool:
        return not isinstance(await here.take(turn), Refused)

    await eventually(is_let_in)


async def test_a_clock_that_was_far_ahead_is_put_right_by_the_next_who_asks() -> None:
    ledgers, now = WatchedLedgers(), [10_000_000]
    asked = Want(account(requests_per_minute=1), requests=1)
    ahead = Desk(ACME, ledgers, "ahead", lambda: Clock(now[0] + 3_600_000, 60_000))
    here = Desk(ACME, ledgers, "here", lambda: Clock(now[0], 60_000))
    await ahead.take(asked)
    assert isinstance(await here.take(asked), Refused)
    now[0] += 60_000
    assert here.refusal(asked) is None
    assert not isinstance(await here.take(asked), Refused)


async def test_while_the_broker_is_away_nobody_is_let_in_and_no_end_is_forgotten() -> None:
    ledgers = WatchedLedgers()
    asked = Want(account(requests_per_minute=9, tokens_per_minute=10), requests=1)
    here = desk(ledgers)
    ledgers.away = True
    here.end(Ended("resp_1", ("tenant",), 10))
    with pytest.raises(LedgersUnavailableError):
        await here.take(asked)
    ledgers.away = False
    here.keep()
    refused = await here.take(asked)
    assert isinstance(refused, Refused)
    assert refused.kind == "tokens"
