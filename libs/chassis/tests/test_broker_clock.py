"""How old a message is follows from the broker's time; no wall clock here changes it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from turnwire_chassis.jetstream.broker_clock import BrokerClock

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR_S = 3600.0
NEAR_S = 0.5


async def age_s(clock: BrokerClock, at: datetime) -> float:
    """How old a message is that was published then."""
    return asyncio.get_running_loop().time() - clock.to_monotonic(at)


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S])
async def test_a_wall_clock_that_jumps_makes_no_message_older_or_younger(
    jump_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = BrokerClock()
    clock.hear(NOW.isoformat())
    wrong = time.time() + jump_s
    monkeypatch.setattr(time, "time", lambda: wrong)
    assert await age_s(clock, NOW - timedelta(seconds=7)) == pytest.approx(7, abs=NEAR_S)


async def test_nanoseconds_of_the_broker_are_understood() -> None:
    clock = BrokerClock()
    clock.hear("2026-11-29T12:00:00.123456789Z")
    assert await age_s(clock, NOW) == pytest.approx(0.123, abs=NEAR_S)


async def test_before_the_broker_has_said_its_time_the_wall_clock_counts() -> None:
    published = datetime.now(UTC) - timedelta(seconds=7)
    assert await age_s(BrokerClock(), published) == pytest.approx(7, abs=NEAR_S)


async def test_nothing_is_younger_than_new() -> None:
    clock = BrokerClock()
    clock.hear(NOW.isoformat())
    assert await age_s(clock, NOW + timedelta(hours=1)) == pytest.approx(0, abs=NEAR_S)
