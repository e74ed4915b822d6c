"""The memory of turns that ended or were read lately."""

from turnwire_store.recent_turns import RecentTurns
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


def test_a_turn_that_has_changed_is_let_go_until_it_is_read_anew() -> None:
    recent = RecentTurns(16_000)
    one = turn(100)
    recent.put(one)

    recent.outdate(one.response_id)

    assert recent.is_outdated(one.response_id)
    assert recent.get(one.response_id) is None
    recent.put(one, recent.mark())
    assert recent.get(one.response_id) is one


def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    recent = RecentTurns(16_000)
    one, other = turn(100), turn(100)
    mark = recent.mark()

    recent.outdate(one.response_id)
    recent.put(one, mark)
    recent.put(other, mark)

    assert recent.get(one.response_id) is None
    assert recent.get(other.response_id) is other


def test_a_turn_that_has_just_ended_is_not_kept_if_its_deletion_was_heard_already() -> None:
    recent = RecentTurns(16_000)
    one = turn(100)

    recent.outdate(one.response_id)
    recent.put(one)

    assert recent.get(one.response_id) is None


def test_what_was_read_before_everything_was_let_go_is_not_kept_after_it() -> None:
    recent = RecentTurns(16_000)
    kept, read = turn(100), turn(100)
    recent.put(kept)
    mark = recent.mark()

    recent.clear()
    recent.put(read, mark)

    assert recent.get(kept.response_id) is None
    assert recent.get(read.response_id) is None


def test_only_the_last_changes_are_remembered() -> None:
    recent = RecentTurns(16_000)
    first = fresh_id()
    recent.outdate(first)

    for _ in range(10_000):
        recent.outdate(fresh_id())

    assert not recent.is_outdated(first)
