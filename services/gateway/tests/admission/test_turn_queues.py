"""Which queue a turn waits in, and when it is refused before it is accepted."""

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_contracts.notices.queue_state import LevelState, QueueState
from turnwire_contracts.queues import LEVELS, level_of
from turnwire_gateway.admission.turn_queues import TurnQueues
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import requested

FLOOD, QUIET = TenantId("flood"), TenantId("quiet")
EMPTY = LevelState()


class Clock:
    """Milliseconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queues(clock: Clock) -> TurnQueues:
    return TurnQueues(10.0, clock)


def told(*levels: LevelState, by: str = "one") -> QueueState:
    return QueueState(by, [*levels, *[EMPTY] * (LEVELS - len(levels))])


@pytest.mark.parametrize(
    ("turns", "level"), [(0, 0), (1, 0), (7, 0), (8, 1), (63, 1), (64, 2), (511, 2), (512, 3)]
)
def test_a_level_is_the_power_of_eight(turns: int, level: int) -> None:
    assert level_of(turns) == level
    assert level_of(turns * 10_000) <= LEVELS - 1


def test_who_waits_for_much_is_sent_to_a_further_queue_and_comes_back(queues: TurnQueues) -> None:
    for number in range(8):
        queues.enter(number, FLOOD)
    assert queues.place(requested(tenant=FLOOD)) == 1
    assert queues.place(requested(tenant=QUIET)) == 0
    queues.leave(0)
    queues.leave(0)
    assert queues.place(requested(tenant=FLOOD)) == 0


def test_background_turns_are_counted_as_they_are_sent_and_fade(
    queues: TurnQueues, clock: Clock
) -> None:
    turn = requested(tenant=FLOOD, background=True)
    levels = [queues.place(turn) for _ in range(600)]
    assert [levels.count(level) for level in range(LEVELS)] == [8, 56, 448, 88]
    assert queues.place(requested(tenant=QUIET, background=True)) == 0
    clock.now += 3_600_000
    assert queues.place(turn) == 0


async def test_a_wall_clock_that_jumps_changes_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the simulation: background turns went to a far queue after a jump back."""
    queues = TurnQueues(10.0)
    turn = requested(tenant=FLOOD, background=True)
    assert [queues.place(turn) for _ in range(7)] == [0] * 7
    monkeypatch.setattr("time.time", lambda: 0.0)
    monkeypatch.setattr("time.time_ns", lambda: 0)
    assert queues.place(turn) == 0


def test_nothing_is_refused_while_nothing_waits(queues: TurnQueues) -> None:
    queues.check(QUIET)
    queues.hear(told(LevelState(starts_per_s=0.1)))
    queues.check(QUIET)


def test_a_turn_that_would_wait_too_long_is_refused_with_the_seconds_to_wait(
    queues: TurnQueues,
) -> None:
    queues.enter("a turn", QUIET)
    queues.hear(told(LevelState(waiting=100, held=20, starts_per_s=10.0)))
    with pytest.raises(ApiError) as refused:
        queues.check(QUIET)
    assert (refused.value.failure.http_status, refused.value.failure.code) == (503, "overloaded")
    assert refused.value.retry_after_s == 2
    # Once it is let through, nothing refuses it: it has taken its place in its conversation.
    assert queues.place(requested(tenant=QUIET)) == 0
    # A background turn has no client that waits.
    assert queues.place(requested(tenant=QUIET, background=True)) == 0


def test_the_turn_that_is_asked_for_counts(queues: TurnQueues) -> None:
    queues.hear(told(EMPTY, LevelState(waiting=500, starts_per_s=20.0)))
    for number in range(7):
        queues.check(FLOOD)
        queues.enter(number, FLOOD)
    # The eighth would wait on the next level.
    with pytest.raises(ApiError):
        queues.check(FLOOD)


def test_a_flood_is_refused_where_it_waits_and_a_quiet_tenant_is_not(queues: TurnQueues) -> None:
    for number in range(8):
        queues.enter(number, FLOOD)
    # Three in fifteen seconds began on the quiet one's level, as no more were asked for.
    quiet = LevelState(held=3, starts_per_s=0.2)
    queues.hear(told(quiet, LevelState(waiting=500, starts_per_s=20.0)))
    with pytest.raises(ApiError):
        queues.check(FLOOD)
    queues.check(QUIET)


def test_orchestrators_count_together(queues: TurnQueues) -> None:
    queues.enter("a turn", QUIET)
    for by in ("one", "two"):
        queues.hear(told(LevelState(waiting=150, held=10, starts_per_s=10.0), by=by))
    # 150 in the stream and ten at each, twenty a second.
    queues.check(QUIET)
    queues.hear(told(LevelState(waiting=190, held=10, starts_per_s=10.0), by="one"))
    with pytest.raises(ApiError):
        queues.check(QUIET)


def test_a_free_place_anywhere_means_that_nothing_is_refused(
    queues: TurnQueues, clock: Clock
) -> None:
    queues.enter("a turn", QUIET)
    full = told(LevelState(held=32, starts_per_s=0.5), by="full")
    queues.hear(full)
    with pytest.raises(ApiError):
        queues.check(QUIET)
    queues.hear(QueueState("free", [EMPTY] * LEVELS, free=3))
    queues.check(QUIET)
    # It tells so every five seconds only, and the other twice a second.
    clock.now += 5_500
    queues.hear(full)
    queues.check(QUIET)
    queues.hear(QueueState("free", [EMPTY] * LEVELS, free=0))
    with pytest.raises(ApiError):
        queues.check(QUIET)


def test_a_tenant_with_nothing_on_its_way_has_the_next_place_of_any_level(
    queues: TurnQueues,
) -> None:
    queues.hear(told(LevelState(held=32, oldest_s=11.0, starts_per_s=0.5), LevelState(held=32)))
    # A place every two seconds: whoever has turns already waits for their turn.
    queues.enter("a turn", FLOOD)
    with pytest.raises(ApiError):
        queues.check(FLOOD)
    queues.check(QUIET)
    # With as many others as quiet as it is, one of each is before it.
    for number in range(5):
        queues.enter(number, TenantId(f"quiet {number}"))
    with pytest.raises(ApiError):
        queues.check(QUIET)


def test_what_was_sent_since_counts_until_the_next_state(queues: TurnQueues) -> None:
    state = told(LevelState(waiting=99, starts_per_s=10.0))
    queues.hear(state)
    queues.place(requested(tenant=QUIET))
    queues.place(requested(tenant=QUIET))
    with pytest.raises(ApiError):
        queues.check(QUIET)
    queues.hear(state)
    queues.check(QUIET)


def test_while_no_turn_begins_the_oldest_says_how_long_it_takes(queues: TurnQueues) -> None:
    queues.hear(told(LevelState(waiting=5, held=4, oldest_s=3.0)))
    queues.check(QUIET)
    queues.hear(told(LevelState(waiting=5, held=4, oldest_s=10.5)))
    with pytest.raises(ApiError):
        queues.check(QUIET)


def test_a_silent_orchestrator_refuses_nothing_for_long(queues: TurnQueues, clock: Clock) -> None:
    queues.hear(told(LevelState(waiting=1000, starts_per_s=1.0)))
    clock.now += 3_001
    queues.check(QUIET)


def test_a_queue_that_is_empty_again_refuses_nothing(queues: TurnQueues) -> None:
    queues.hear(told(LevelState(waiting=1000, starts_per_s=1.0)))
    queues.hear(told())
    queues.check(QUIET)


def test_a_state_of_a_version_with_other_levels_is_not_read(queues: TurnQueues) -> None:
    queues.hear(QueueState("one", [LevelState(waiting=1000, starts_per_s=1.0)]))
    queues.check(QUIET)
