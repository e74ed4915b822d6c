"""What the guard answers to bytes, good and bad; it always answers."""

import pytest

from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    NeedsHistory,
    Refusal,
    Verdict,
    Violation,
)
from turnwire_guard.handlers import Handlers
from turnwire_guard.pipeline import Finding, OnError, ProviderError, Stage
from turnwire_guard.policy import NO_POLICY, Policy

QUESTION = AskForCheck(check_type="input", input="hello")


class Raises:
    """A provider that raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        del question
        raise self._error


def policy(error: Exception, on_error: OnError = "block") -> Policy:
    stage = Stage("model", "raises", Raises(error), on_error=on_error)
    return Policy({"default": {"input": (stage,)}})


async def answer(policy: Policy, body: bytes) -> Verdict | NeedsHistory | Refusal:
    return GUARD_CHECK.answered(await Handlers(policy).check(body))


async def refused(policy: Policy, body: bytes) -> tuple[int, str, str]:
    """Give status, type and code of a refusal."""
    given = await answer(policy, body)
    assert isinstance(given, Refusal)
    return given.failure.http_status, given.failure.type, given.failure.code


async def test_without_a_policy_everything_is_safe() -> None:
    assert await answer(NO_POLICY, GUARD_CHECK.ask(QUESTION)) == Verdict(safe=True)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"check_type": 1, "input": ""}', b'{"check_type": "\xff"}', b"\x00"],
)
async def test_a_body_that_is_no_question_is_refused(body: bytes) -> None:
    assert await refused(NO_POLICY, body) == (400, "invalid_request_error", "invalid_question")


async def test_an_unknown_check_type_is_refused_with_the_one_that_was_meant() -> None:
    body = GUARD_CHECK.ask(AskForCheck(check_type="inputs", input=""))

    given = await answer(NO_POLICY, body)

    assert isinstance(given, Refusal)
    assert given.failure.code == "unknown_check_type"
    assert given.failure.message.endswith("Did you mean 'input'?")


@pytest.mark.parametrize("error", [ProviderError("down"), ZeroDivisionError("a bug")])
async def test_a_guard_that_cannot_judge_lets_nothing_pass(error: Exception) -> None:
    body = GUARD_CHECK.ask(QUESTION)

    assert await refused(policy(error), body) == (503, "server_error", "guard_unavailable")


async def test_a_stage_that_may_fail_lets_content_pass() -> None:
    failing = policy(ProviderError("down"), on_error="allow")

    assert await answer(failing, GUARD_CHECK.ask(QUESTION)) == Verdict(safe=True)


async def test_a_bug_lets_nothing_pass_even_where_failing_is_allowed() -> None:
    broken = policy(ZeroDivisionError("a bug"), on_error="allow")

    assert (await refused(broken, GUARD_CHECK.ask(QUESTION)))[2] == "guard_unavailable"


async def test_violations_reach_the_asker() -> None:
    class Finds:
        async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
            return (Finding(question.input),)

    found = Policy({"default": {"input": (Stage("words", "finds", Finds()),)}})

    assert await answer(found, GUARD_CHECK.ask(QUESTION)) == Verdict(
        safe=False,
        violations=[Violation(category="hello", provider="finds", stage="words", step=1)],
    )
