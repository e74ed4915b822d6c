"""The memory of turns that ended or were read lately."""

from turnwire_store.recalling.recent import RecentTurns
from turnwire_store.views import StoredTurn
from turnwire_testing.examples import TENANT, fresh_id


def turn(size: int) -> StoredTurn:
    return StoredTurn(fresh_id(), TENANT, None, None, b"x" * size)


def test_the_least_recently_used_goes_first() -> None:
    recent = RecentTurns(16_000)
    first, second, third = (turn(1_400) for _ in range(3))
    recent.put(first)
    recent.put(second)
    recent.get(first.response_id)

    for one in [turn(1_400) for _ in range(6)]:
        recent.put(one)
    recent.put(third)

    assert recent.get(first.response_id) is first
    assert recent.get(second.response_id) is None
    assert recent.get(third.response_id) is third


def test_putting_a_turn_again_takes_no_more_room() -> None:
    recent = RecentTurns(16_000)
    first, second = turn(1_400), turn(1_400)
    recent.put(first)

    for _ in range(100):
        recent.put(second)

    assert recent.get(first.response_id) is first


def test_a_turn_that_would_push_out_many_others_is_not_kept() -> None:
    recent = RecentTurns(16_000)
    large = turn(10_000)

    recent.put(large)

    assert recent.get(large.response_id) is None
