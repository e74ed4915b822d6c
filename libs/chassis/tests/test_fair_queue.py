"""The laws of the fair queue, for any number of tenants, places and turns of any length."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from turnwire_chassis.jetstream.fair_queue import FairQueue

TENANTS = ("a", "b", "c", "d")
Turn = tuple[str, int]


def turns_of(tenant: str, numbers: Iterable[int]) -> list[Turn]:
    return [(tenant, number) for number in numbers]


def filled(queue: FairQueue[Turn], turns: Iterable[Turn]) -> None:
    for tenant, number in turns:
        queue.add(tenant, number, (tenant, number))


class AnySchedule(RuleBasedStateMachine):
    """Turns that come and end in any order, and a queue that may be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.places = 3
        self.queue: FairQueue[Turn] = FairQueue(self.places)
        self.running: list[Turn] = []
        self.waiting: list[Turn] = []
        self.passed_over: Counter[Turn] = Counter()
        self.numbers = 0

    @rule(tenant=st.sampled_from(TENANTS))
    def comes(self, tenant: str) -> None:
        turn = (tenant, self.numbers)
        self.numbers += 1
        if self.queue.enter(tenant):
            assert not self.waiting
            self.running.append(turn)
        else:
            self.queue.add(tenant, turn[1], turn)
            self.waiting.append(turn)

    @precondition(lambda self: self.running)
    @rule(which=st.integers(min_value=0))
    def ends(self, which: int) -> None:
        tenant, _ = self.running.pop(which % len(self.running))
        self.queue.leave(tenant)
        while (begun := self.queue.next()) is not None:
            self._begins(begun)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(min_value=0))
    def is_refused(self, which: int) -> None:
        turn = self.waiting.pop(which % len(self.waiting))
        self.queue.remove(turn[0], turn)

    def _begins(self, begun: Turn) -> None:
        tenant = begun[0]
        held = Counter(each for each, _ in self.running)
        # Order within a tenant, and no place for one tenant while another has fewer.
        assert begun == min(each for each in self.waiting if each[0] == tenant)
        assert held[tenant] == min(held[each] for each, _ in self.waiting)
        self.waiting.remove(begun)
        self.running.append(begun)

    @invariant()
    def no_more_run_than_there_are_places(self) -> None:
        assert self.queue.free == self.places - len(self.running) >= 0

    @invariant()
    def no_place_is_free_while_one_waits(self) -> None:
        assert not self.waiting or self.queue.free == 0

    @invariant()
    def nothing_is_lost(self) -> None:
        assert sorted(self.queue.waiting()) == sorted(self.waiting)
        assert len(self.queue) == len(self.waiting)


TestAnySchedule = AnySchedule.TestCase


@given(places=st.integers(1, 8), flood=st.integers(1, 200), quiet=st.integers(1, 8))
def test_places_are_shared_alike_however_much_one_tenant_has_waiting(
    places: int, flood: int, quiet: int
) -> None:
    queue: FairQueue[Turn] = FairQueue(places)
    filled(queue, turns_of("flood", range(flood)))
    filled(queue, turns_of("quiet", range(flood, flood + quiet)))
    held = Counter(tenant for tenant, _ in iter(queue.next, None))
    assert sum(held.values()) == min(places, flood + quiet)
    # Neither has less than half, unless it wants no more; an odd place goes to the first.
    assert held["quiet"] >= min(quiet, places // 2)
    assert held["flood"] >= min(flood, places // 2)


@given(others=st.integers(1, 20), ahead=st.integers(0, 50))
def test_who_waits_is_passed_by_each_other_tenant_once_at_most(others: int, ahead: int) -> None:
    """Even when new tenants come without end, each with a single turn."""
    queue: FairQueue[Turn] = FairQueue(1)
    queue.add("flood", 0, ("flood", 0))
    filled(queue, turns_of("flood", range(1, ahead)))
    for number in range(others):
        queue.add(f"t{number}", 100 + number, (f"t{number}", 0))
    queue.add("waiting", 1000, ("waiting", 0))
    begun: list[str] = []
    for number in range(others + 2):
        newcomer = f"new{number}"
        queue.add(newcomer, 2000 + number, (newcomer, 0))
        turn = queue.next()
        assert turn is not None
        begun.append(turn[0])
        queue.leave(turn[0])
    assert "waiting" in begun


def test_a_closed_queue_gives_no_place_and_lets_what_runs_end() -> None:
    queue: FairQueue[Turn] = FairQueue(1)
    assert queue.enter("a")
    queue.add("a", 1, ("a", 1))
    queue.close()
    queue.leave("a")
    assert queue.next() is None
    assert (queue.free, len(queue), queue.enter("b")) == (0, 1, False)


def test_a_turn_that_comes_back_runs_before_later_ones_of_its_tenant() -> None:
    queue: FairQueue[Turn] = FairQueue(1)
    filled(queue, turns_of("a", [7, 8, 3]))
    assert queue.next() == ("a", 3)
