"""The laws by which a server is picked, and what is learnt about one from its answers."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from turnwire_contracts.events import Failure
from turnwire_orchestrator.inference.pool.balancing import Candidate, pick
from turnwire_orchestrator.inference.pool.server_health import BREAKER, LONGEST_WAIT_S, ServerHealth

DOWN = Failure(502, "server_error", "backend_unavailable", "It is down.")
BUSY = Failure(429, "too_many_requests", "rate_limit_exceeded", "Slower.", retry_after_s=7)
REFUSED = Failure(400, "invalid_request_error", "backend_refused", "No.")

_CANDIDATES = st.lists(
    st.builds(
        Candidate,
        name=st.sampled_from("abcdef"),
        weight=st.floats(0.1, 100),
        backup=st.booleans(),
        running=st.integers(0, 50),
        readiness=st.sampled_from(["ready", "failing", "told_to_wait"]),
    ),
    unique_by=lambda each: each.name,
    max_size=6,
)


@given(_CANDIDATES, st.sampled_from("abcdef") | st.none(), st.text() | st.none(), st.text())
def test_the_most_able_are_asked_and_none_that_wants_to_be_left_alone(
    candidates: list[Candidate], last: str | None, cache_key: str | None, sample: str
) -> None:
    chosen = pick(candidates, last, cache_key, sample)
    able = [each for each in candidates if each.readiness != "told_to_wait"]
    assert (chosen is None) == (not able)
    if chosen is None:
        return
    assert chosen in able
    if any(each.readiness == "ready" for each in candidates):
        assert chosen.readiness == "ready"
    if any(each.readiness == "ready" and not each.backup for each in candidates):
        assert not chosen.backup


@given(st.lists(st.integers(0, 20), min_size=2, max_size=6), st.text())
def test_without_a_cache_the_least_busy_is_asked(running: list[int], sample: str) -> None:
    candidates = [Candidate(str(n), running=each) for n, each in enumerate(running)]
    chosen = pick(candidates, None, None, sample)
    assert chosen is not None
    assert chosen.running == min(running)


@given(st.lists(st.floats(0.5, 8), min_size=2, max_size=5), st.integers(1, 60))
def test_no_cache_gives_a_server_more_than_its_share(weights: list[float], samples: int) -> None:
    servers = {str(n): Candidate(str(n), weight) for n, weight in enumerate(weights)}
    for _ in range(samples):
        chosen = pick([*servers.values()], "0", None, "turn")
        assert chosen is not None
        servers[chosen.name] = replace(chosen, running=chosen.running + 1)
    share = samples * weights[0] / sum(weights)
    assert servers["0"].running <= 1.25 * share + 1 + len(weights)


def test_who_answered_before_is_asked_again() -> None:
    candidates = [Candidate("a"), Candidate("b"), Candidate("c")]
    for name in "abc":
        chosen = pick(candidates, name, None, "turn")
        assert chosen is not None
        assert chosen.name == name


def test_prompts_that_begin_alike_go_to_one_server_and_only_its_own_move_when_it_goes() -> None:
    servers = [Candidate(name) for name in "abcd"]

    def placed(key: int, among: list[Candidate]) -> str:
        chosen = pick(among, None, f"key {key}", f"turn {key}")
        assert chosen is not None
        return chosen.name

    before = [placed(key, servers) for key in range(400)]
    after = [placed(key, servers[1:]) for key in range(400)]
    assert all(then == now for then, now in zip(before, after, strict=True) if then != "a")
    assert min(Counter(before).values()) > 60


def test_a_heavier_server_gets_more() -> None:
    servers = [Candidate("light"), Candidate("heavy", weight=3.0)]
    chosen = Counter(
        each.name for n in range(400) if (each := pick(servers, None, None, f"turn {n}"))
    )
    assert 240 < chosen["heavy"] < 360


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_server_that_fails_in_a_row_is_left_alone_and_then_tried_once(clock: Clock) -> None:
    health = ServerHealth(clock)
    for _ in range(BREAKER.failures):
        assert health.readiness("m") == "ready"
        health.answered("m", DOWN)
    assert health.readiness("m") == "failing"
    clock.now += BREAKER.open_s
    assert health.readiness("m") == "ready"
    health.began()
    assert health.readiness("m") == "failing"
    health.answered("m", None)
    assert health.readiness("m") == "ready"


def test_a_server_that_refuses_works(clock: Clock) -> None:
    health = ServerHealth(clock)
    for _ in range(BREAKER.failures - 1):
        health.answered("m", DOWN)
    health.answered("m", REFUSED)
    health.answered("m", DOWN)
    assert health.readiness("m") == "ready"


def test_a_server_says_when_to_come_back_with_a_model(clock: Clock) -> None:
    health = ServerHealth(clock)
    health.answered("m", BUSY)
    assert (health.readiness("m"), health.readiness("other")) == ("told_to_wait", "ready")
    clock.now += 4.5
    why = health.why_wait("m")
    assert why is not None
    assert (why.http_status, why.code, why.retry_after_s) == (429, "rate_limit_exceeded", 3)
    assert "'m'" in why.message
    assert "3 s" in why.message
    clock.now += 2.5
    assert (health.readiness("m"), health.wait_s("m")) == ("ready", 0)


def test_nobody_is_left_alone_for_a_day(clock: Clock) -> None:
    health = ServerHealth(clock)
    health.answered("m", replace(BUSY, retry_after_s=86_400))
    assert health.wait_s("m") == LONGEST_WAIT_S


def test_names_that_clients_invent_do_not_pile_up(clock: Clock) -> None:
    health = ServerHealth(clock)
    for number in range(1000):
        health.answered(f"m{number}", BUSY)
    waiting = [number for number in range(1000) if health.wait_s(f"m{number}")]
    assert waiting == [*range(1000 - 256, 1000)]
