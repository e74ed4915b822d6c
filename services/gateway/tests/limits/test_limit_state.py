"""The limit state of a tenant: what it promises, whichever gateways work on it."""

from hypothesis import given
from hypothesis import strategies as st

from turnwire_gateway.limits.allowances import Account, Allowance
from turnwire_gateway.limits.limit_state import (
    Acquisition,
    Clock,
    Lease,
    LimitState,
    QuotaRefused,
    QuotaReleased,
    changed_lease,
    running,
)
from turnwire_gateway.limits.settlement import LEASE_MS, Batch, is_same, settle

SPAN = 60_000
KEY = Account("key:a", Allowance(requests_per_minute=3, concurrent_turns=2, tokens_per_minute=20))
TENANT = Account(
    "tenant", Allowance(requests_per_minute=5, concurrent_turns=3, concurrent_streams=2)
)

Step = tuple[str, int, int, bool, bool]
"""A gateway, how many ask at once, a pause before it, whether with the key, whether to stream."""

GATEWAYS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.tuples(GATEWAYS, st.integers(1, 6), st.integers(0, 30_000), st.booleans(), st.booleans()),
    max_size=25,
)


def acquisition(*, with_key: bool, stream: bool = False) -> Acquisition:
    accounts = (KEY, TENANT) if with_key else (TENANT,)
    return Acquisition(accounts, requests=1, turns=1, streams=int(stream))


class Tenant:
    """A limit state, and gateways that keep count of what runs with them."""

    def __init__(self) -> None:
        self.limit_state = LimitState()
        self.here: dict[str, Lease] = {}
        self.passed: list[tuple[int, Acquisition]] = []
        self.now = 1_000_000

    def step(self, gateway: str, wants: list[Acquisition], *ends: QuotaReleased) -> list[bool]:
        mine = self.here.get(gateway, Lease(0))
        batch = Batch(wants, list(ends), mine.turns, mine.streams)
        clock = Clock(self.now, SPAN)
        self.limit_state, verdicts = settle(self.limit_state, batch, gateway, clock)
        for each, verdict in zip(wants, verdicts, strict=True):
            if not isinstance(verdict, QuotaRefused):
                mine = changed_lease(mine, each, 1)
                self.passed.append((self.now, each))
        self.here[gateway] = mine
        return [not isinstance(verdict, QuotaRefused) for verdict in verdicts]

    def passed_within(self, account: Account, until: int) -> int:
        return sum(
            until - SPAN < at <= until and account in each.accounts for at, each in self.passed
        )

    def runs(self, account: Account) -> int:
        return sum(lease.turns.get(account.name, 0) for lease in self.here.values())


@given(STEPS)
def test_no_minute_has_more_requests_than_any_account_allows(steps: list[Step]) -> None:
    tenant = Tenant()
    for gateway, count, pause, with_key, _ in steps:
        tenant.now += pause
        tenant.step(gateway, [acquisition(with_key=with_key)] * count)
        tenant.here.clear()  # All have ended.
    for account in (KEY, TENANT):
        most = account.allowance.requests_per_minute
        assert all(tenant.passed_within(account, at) <= (most or 0) for at, _ in tenant.passed)


@given(STEPS)
def test_never_more_run_at_once_than_any_account_allows(steps: list[Step]) -> None:
    tenant = Tenant()
    for gateway, count, pause, with_key, stream in steps:
        # Every gateway is heard of before its lease is over.
        tenant.now += pause % (LEASE_MS // 4)
        wants = [acquisition(with_key=with_key, stream=stream)] * count
        tenant.step(gateway, wants)
        for other in "abc":
            tenant.step(other, [])
        for account in (KEY, TENANT):
            assert tenant.runs(account) <= (account.allowance.concurrent_turns or 0)
            assert running(tenant.limit_state, "turns", account.name) == tenant.runs(account)
        streams = sum(lease.streams.get("tenant", 0) for lease in tenant.here.values())
        assert streams <= 2
        if with_key and (mine := tenant.here[gateway]).turns.get("key:a"):
            tenant.here[gateway] = changed_lease(mine, acquisition(with_key=True), -1)


@given(STEPS)
def test_what_is_refused_changes_nothing(steps: list[Step]) -> None:
    tenant = Tenant()
    for gateway, count, pause, with_key, stream in steps:
        tenant.now += pause
        before = tenant.limit_state
        if not any(tenant.step(gateway, [acquisition(with_key=with_key, stream=stream)] * count)):
            renewed = settle(
                before,
                Batch([], [], tenant.here[gateway].turns, tenant.here[gateway].streams),
                gateway,
                Clock(tenant.now, SPAN),
            )[0]
            assert is_same(tenant.limit_state, renewed, Clock(tenant.now, SPAN))


@given(st.lists(st.tuples(GATEWAYS, st.integers(0, 20_000), st.integers(1, 15)), max_size=20))
def test_over_its_tokens_a_key_waits_exactly_as_long_as_it_is_told(
    ends: list[tuple[str, int, int]],
) -> None:
    tenant = Tenant()
    for gateway, pause, tokens in ends:
        tenant.now += pause
        tenant.step(gateway, [], QuotaReleased("resp_1", ("key:a",), tokens))
    asks = Acquisition((KEY,), requests=1)
    _, (verdict,) = settle(
        tenant.limit_state, Batch([asks], [], {}, {}), "a", Clock(tenant.now, SPAN)
    )
    if isinstance(verdict, QuotaRefused):
        assert verdict.kind == "tokens"
        assert verdict.retry_ms is not None
        tenant.now += verdict.retry_ms - 1
        assert tenant.step("b", [asks]) == [False]
        tenant.now += 1
        assert tenant.step("b", [asks]) == [True]


def test_time_never_goes_back_whichever_clock_is_behind() -> None:
    tenant = Tenant()
    tenant.step("a", [acquisition(with_key=False)] * 5)
    tenant.now -= 5_000
    assert tenant.step("b", [acquisition(with_key=False)]) == [False]
    assert tenant.limit_state.at == 1_000_000


def test_a_clock_that_is_far_ahead_locks_nobody_out_for_longer_than_a_minute() -> None:
    tenant = Tenant()
    tenant.now += 3_600_000
    assert tenant.step("a", [acquisition(with_key=False)] * 3) == [True] * 3
    tenant.now -= 3_600_000
    assert tenant.step("b", [Acquisition((TENANT,), requests=1)] * 3) == [True, True, False]
    tenant.now += SPAN
    assert tenant.step("b", [Acquisition((TENANT,), requests=1)] * 5) == [True] * 5


def test_a_gateway_whose_clock_was_far_ahead_when_it_was_lost_keeps_no_places() -> None:
    """Found by the simulation: its lease would have lasted until its own clock's time came."""
    tenant = Tenant()
    tenant.now += 3_600_000
    assert tenant.step("a", [acquisition(with_key=False)] * 3) == [True] * 3
    tenant.now -= 3_600_000
    assert tenant.step("b", [acquisition(with_key=False)]) == [True]
    assert running(tenant.limit_state, "turns", "tenant") == 1


def test_the_end_of_a_background_turn_can_be_told_twice() -> None:
    tenant = Tenant()
    held = Acquisition(
        (TENANT,), requests=1, turns=1, background="resp_1", until=tenant.now + 90_000
    )
    assert tenant.step("a", [held]) == [True]
    assert running(tenant.limit_state, "turns", "tenant") == 1
    for _ in range(2):
        tenant.step("b", [], QuotaReleased("resp_1", (), 0))
        assert running(tenant.limit_state, "turns", "tenant") == 0
