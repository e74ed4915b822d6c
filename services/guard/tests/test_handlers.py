"""What the guard answers to what it is asked."""

import asyncio
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from turnwire_chassis.concurrency import ConcurrencyLimit
from turnwire_contracts.events import OutputCheck
from turnwire_contracts.ids import Correlation
from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    GuardMessage,
    GuardViolation,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_guard.handlers import GuardHandlers
from turnwire_guard.pipeline import (
    Finding,
    HistoryWantedError,
    OnError,
    Provider,
    ProviderError,
    Stage,
)
from turnwire_guard.policy import NO_POLICY, Application, GuardPolicy
from turnwire_guard.policy_file import PolicyFile
from turnwire_guard.verdict_cache import VerdictCache

QUESTION = AskForCheck(check_type="input", input="hello")


class Raises(Provider):
    """A provider that raises."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        del question
        raise self._error


def policy(error: Exception, on_error: OnError = "block") -> GuardPolicy:
    return checking(Stage("model", "raises", Raises(error), on_error=on_error))


def checking(*stages: Stage) -> GuardPolicy:
    """Check inputs by these stages."""
    return GuardPolicy({"default": Application({"input": stages})})


def guard(
    policy: GuardPolicy, *, at_once: int = 2, timeout_s: float = 20, entries: int = 0
) -> GuardHandlers:
    """Give a guard for which one more than `at_once` may wait."""
    admission = ConcurrencyLimit(at_once, most_waiting=1)
    return GuardHandlers(PolicyFile(None, policy), admission, VerdictCache(entries), timeout_s)


async def answer(policy: GuardPolicy, body: bytes) -> Verdict | NeedsHistory | Refusal:
    return GUARD_CHECK.decode_answer(await guard(policy).check(body))


async def refused(policy: GuardPolicy, body: bytes) -> tuple[int, str, str]:
    """Give status, type and code of a refusal."""
    given = await answer(policy, body)
    assert isinstance(given, Refusal)
    return given.failure.http_status, given.failure.type, given.failure.code


async def test_without_a_policy_everything_is_safe() -> None:
    assert await answer(NO_POLICY, GUARD_CHECK.encode_question(QUESTION)) == Verdict(safe=True)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b'{"check_type": 1, "input": ""}', b'{"check_type": "\xff"}', b"\x00"],
)
async def test_a_body_that_is_no_question_is_refused(body: bytes) -> None:
    assert await refused(NO_POLICY, body) == (400, "invalid_request_error", "invalid_question")


async def test_an_unknown_check_type_is_refused_with_the_one_that_was_meant() -> None:
    body = GUARD_CHECK.encode_question(AskForCheck(check_type="inputs", input=""))

    given = await answer(NO_POLICY, body)

    assert isinstance(given, Refusal)
    assert given.failure.code == "unknown_check_type"
    assert given.failure.message.endswith("Did you mean 'input'?")


@pytest.mark.parametrize("error", [ProviderError("down"), ZeroDivisionError("a bug")])
async def test_a_guard_that_cannot_judge_lets_nothing_pass(error: Exception) -> None:
    body = GUARD_CHECK.encode_question(QUESTION)

    assert await refused(policy(error), body) == (503, "server_error", "guard_unavailable")


async def test_a_stage_that_may_fail_lets_content_pass() -> None:
    failing = policy(ProviderError("down"), on_error="allow")

    assert await answer(failing, GUARD_CHECK.encode_question(QUESTION)) == Verdict(safe=True)


async def test_a_bug_lets_nothing_pass_even_where_failing_is_allowed() -> None:
    broken = policy(ZeroDivisionError("a bug"), on_error="allow")

    assert (await refused(broken, GUARD_CHECK.encode_question(QUESTION)))[2] == "guard_unavailable"


async def test_violations_reach_the_asker() -> None:
    class Finds(Provider):
        async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
            return (Finding(question.input),)

    found = checking(Stage("words", "finds", Finds()))

    assert await answer(found, GUARD_CHECK.encode_question(QUESTION)) == Verdict(
        safe=False,
        violations=[GuardViolation(category="hello", provider="finds", stage="words", step=1)],
    )


async def test_a_provider_that_wants_history_has_the_asker_bring_it() -> None:
    wanting = policy(HistoryWantedError(3))

    assert await answer(wanting, GUARD_CHECK.encode_question(QUESTION)) == NeedsHistory(3)


@pytest.mark.parametrize(
    ("check_type", "enabled", "output"),
    [("input", True, "at_end"), ("input", False, "unchecked"), ("tool_output", True, "unchecked")],
)
async def test_a_verdict_on_an_input_says_how_the_answer_will_be_checked(
    check_type: str, output: OutputCheck, *, enabled: bool
) -> None:
    stage = Stage("s", "gated", Gated(), enabled=enabled)
    application = Application({"output": (stage,)}, output_check="at_end")
    body = GUARD_CHECK.encode_question(AskForCheck(check_type, "x", "shop"))

    given = await answer(GuardPolicy({"shop": application}), body)

    assert given == Verdict(safe=True, output=output)


@dataclass
class Gated(Provider):
    """A provider that answers when it may, and counts."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    unsafe: str = "unsafe"

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        self.asked += 1
        await self.open.wait()
        return (Finding("c"),) if question.input == self.unsafe else ()


async def test_who_comes_when_too_many_wait_is_refused_at_once() -> None:
    gated = Gated()
    handlers = guard(checking(Stage("s", "gated", gated)), at_once=2)
    body = GUARD_CHECK.encode_question(QUESTION)

    checks = [asyncio.create_task(handlers.check(body)) for _ in range(5)]
    refused, waiting = await asyncio.wait(checks, return_when=asyncio.FIRST_COMPLETED)

    assert (len(refused), len(waiting), gated.asked) == (2, 3, 2)
    for each in refused:
        given = GUARD_CHECK.decode_answer(each.result())
        assert isinstance(given, Refusal)
        assert given.failure.code == "guard_unavailable"
    gated.open.set()
    done = [GUARD_CHECK.decode_answer(await each) for each in waiting]
    assert done == [Verdict(safe=True)] * 3


async def test_a_check_that_takes_too_long_is_given_up_even_where_failing_is_allowed() -> None:
    slow = checking(Stage("s", "gated", Gated(), on_error="allow"))

    given = GUARD_CHECK.decode_answer(
        await guard(slow, timeout_s=0.05).check(GUARD_CHECK.encode_question(QUESTION))
    )

    assert isinstance(given, Refusal)
    assert given.failure.code == "guard_unavailable"


async def asked_for(
    handlers: GuardHandlers, gated: Gated, question: AskForCheck
) -> tuple[bool, int]:
    """Ask; gives whether it is safe, and how often the provider was asked so far."""
    verdict = GUARD_CHECK.decode_answer(await handlers.check(GUARD_CHECK.encode_question(question)))
    assert isinstance(verdict, Verdict)
    return verdict.safe, gated.asked


async def test_a_verdict_is_remembered_for_the_same_question_only() -> None:
    gated = Gated()
    gated.open.set()
    handlers = guard(checking(Stage("s", "gated", gated)), entries=2)
    unsafe, elsewhere = AskForCheck("input", "unsafe"), AskForCheck("input", "hello", "shop")
    talk = AskForCheck("input", "hello", conversation=[GuardMessage("user", "hello")])

    assert await asked_for(handlers, gated, QUESTION) == (True, 1)
    assert await asked_for(handlers, gated, QUESTION) == (True, 1)
    by_another = replace(QUESTION, correlation=Correlation(request_id="req_2"))
    assert await asked_for(handlers, gated, by_another) == (True, 1)
    assert await asked_for(handlers, gated, unsafe) == (False, 2)
    assert await asked_for(handlers, gated, unsafe) == (False, 2)
    assert await asked_for(handlers, gated, elsewhere) == (True, 3)
    assert await asked_for(handlers, gated, talk) == (True, 4)
    assert await asked_for(handlers, gated, QUESTION) == (True, 5), "it had to make room"


async def test_nothing_is_remembered_unless_it_is_asked_for() -> None:
    gated = Gated()
    gated.open.set()
    handlers = guard(checking(Stage("s", "gated", gated)))

    assert await asked_for(handlers, gated, QUESTION) == (True, 1)
    assert await asked_for(handlers, gated, QUESTION) == (True, 2)


async def test_a_verdict_that_did_without_a_stage_is_not_remembered() -> None:
    gated = Gated()
    gated.open.set()
    broken = Stage("model", "raises", Raises(ProviderError("down")), on_error="allow")
    handlers = guard(checking(broken, Stage("s", "gated", gated)), entries=9)

    assert await asked_for(handlers, gated, QUESTION) == (True, 1)
    assert await asked_for(handlers, gated, QUESTION) == (True, 2)
