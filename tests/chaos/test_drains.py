"""What clients may be told when gateways are replaced: no error, but of what is given once."""

import pytest

from chaos.faults.drains import no_client_is_told_an_error, only_what_is_given_once_is_gone
from chaos.oracle import Run
from chaos.oracle.examples import good_run


def told(code: str, *, stored: bool) -> Run:
    """A run in which one client was refused."""
    run = good_run()
    run.seen[0].error, run.seen[0].stored = {"code": code}, stored
    return run


def test_a_run_in_which_all_is_right_tells_no_client_an_error() -> None:
    assert list(no_client_is_told_an_error(good_run())) == []
    assert list(only_what_is_given_once_is_gone(good_run())) == []


@pytest.mark.parametrize("code", ["idempotency_key_spent", "answer_lost"])
def test_an_answer_that_is_not_stored_may_go_with_a_gateway_that_had_no_time(code: str) -> None:
    assert list(only_what_is_given_once_is_gone(told(code, stored=False))) == []
    assert len(list(no_client_is_told_an_error(told(code, stored=False)))) == 1


@pytest.mark.parametrize(
    ("code", "stored"), [("idempotency_key_spent", True), ("internal_error", False)]
)
def test_no_other_answer_may_go(code: str, *, stored: bool) -> None:
    assert len(list(only_what_is_given_once_is_gone(told(code, stored=stored)))) == 1
