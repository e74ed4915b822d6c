"""The provider `llama-guard-3` against a stand-in for its server, over real sockets."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from turnwire_contracts.queries import AskForCheck, GuardMessage
from turnwire_guard.pipeline import Finding, ProviderError
from turnwire_guard.providers.llama_guard.options import Options
from turnwire_guard.providers.llama_guard.provider import LlamaGuardProvider
from turnwire_testing.llama_guard import LlamaGuardStub, llama_guard
from turnwire_testing.waiting import eventually

HATE = Finding("S10", "Hate")


@pytest.fixture
async def stub() -> AsyncGenerator[LlamaGuardStub]:
    async with llama_guard() as running:
        yield running


def options(stub: LlamaGuardStub) -> Options:
    return Options(base_url=stub.url, model="llama-guard3:8b", variant="3-8b")


@asynccontextmanager
async def started(options: Options) -> AsyncGenerator[LlamaGuardProvider]:
    provider = LlamaGuardProvider(options)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


async def judged(options: Options, text: str, check_type: str = "input") -> tuple[Finding, ...]:
    async with started(options) as provider:
        return await provider.judge(AskForCheck(check_type=check_type, input=text))


async def failure(options: Options, text: str = "hello") -> str:
    with pytest.raises(ProviderError) as caught:
        await judged(options, text)
    return str(caught.value)


@pytest.mark.parametrize("prompt_mode", ["messages", "rendered"])
async def test_what_the_model_calls_unsafe_is_found_by_code_and_name(
    stub: LlamaGuardStub, prompt_mode: str
) -> None:
    asked = replace(options(stub), prompt_mode=prompt_mode)

    assert await judged(asked, "hello") == ()
    assert await judged(asked, "a [[S1,S10]] text") == (Finding("S1", "Violent Crimes"), HATE)
    assert await judged(asked, "an answer [[S10]]", "output") == (HATE,)
    assert await judged(asked, "what a tool says [[S10]]", "tool_output") == (HATE,)


async def test_the_conversation_reaches_the_server_with_the_key(stub: LlamaGuardStub) -> None:
    asked = replace(options(stub), api_key="sesame", last_turns=2)
    talk = [
        GuardMessage("user", "old"),
        GuardMessage("assistant", "older"),
        GuardMessage("user", "new"),
    ]
    async with started(asked) as provider:
        await provider.judge(AskForCheck("input", "new", conversation=talk))

    assert stub.headers[0]["Authorization"] == "Bearer sesame"
    assert [(each["role"], each["content"]) for each in stub.asked[0]["messages"]] == [
        ("user", "old"),
        ("assistant", "older"),
        ("user", "new"),
    ]
    assert stub.asked[0]["temperature"] == 0
    assert "sesame" not in repr(asked)


async def test_the_model_of_1b_is_sent_parts_and_what_is_excluded(stub: LlamaGuardStub) -> None:
    asked = replace(options(stub), variant="3-1b", exclude=frozenset({"S10"}))

    assert await judged(asked, "hello [[S10]]") == ()
    assert stub.asked[0]["messages"][0]["content"] == [{"type": "text", "text": "hello [[S10]]"}]
    assert stub.asked[0]["chat_template_kwargs"] == {"excluded_category_keys": ["S10"]}


async def test_a_threshold_counts_more_than_the_word_where_probabilities_are_told(
    stub: LlamaGuardStub,
) -> None:
    careful = replace(options(stub), threshold=0.3)

    assert await judged(careful, "[[S10]]") == (HATE,), "the server told none"
    stub.probability = 0.29
    assert await judged(careful, "[[S10]]") == ()
    stub.probability = 0.31
    assert await judged(careful, "hello") == (Finding("unsafe", "No category was named"),)


async def test_a_server_that_is_slow_has_a_deadline(stub: LlamaGuardStub) -> None:
    stub.may_answer.clear()

    assert await failure(replace(options(stub), timeout_s=1.0)) == "no verdict in 1 s"
    assert len(stub.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "says", "said"),
    [
        (500, b"boom", None, "the server answers 500"),
        (401, b"", None, "the server answers 401"),
        (200, b"<html>", None, "the answer is not JSON"),
        (200, b"\xff", None, "the answer is not JSON"),
        (200, b"[]", None, "the answer has no text"),
        (200, None, "I cannot help with that", "the answer is neither 'safe' nor 'unsafe'"),
    ],
)
async def test_what_is_no_verdict_lets_nothing_pass(
    stub: LlamaGuardStub, status: int, body: bytes | None, says: str | None, said: str
) -> None:
    stub.status, stub.body, stub.says = status, body, says

    assert await failure(options(stub)) == said


async def test_a_server_that_is_not_there_is_a_failure_and_a_problem() -> None:
    gone = Options(base_url="http://127.0.0.1:9/v1", model="m", variant="3-8b")

    assert await failure(gone) == "the server does not answer: ConnectError"
    problem = await LlamaGuardProvider(gone).problem()
    assert problem == "http://127.0.0.1:9/v1 does not answer: ConnectError"


async def test_a_server_that_answers_is_no_problem(stub: LlamaGuardStub) -> None:
    assert await LlamaGuardProvider(options(stub)).problem() is None


async def test_a_flood_is_bounded_and_what_is_above_fails_at_once(stub: LlamaGuardStub) -> None:
    stub.may_answer.clear()
    question = AskForCheck("input", "hello")
    async with started(replace(options(stub), max_concurrent=2, timeout_s=20)) as provider:
        asking = [asyncio.create_task(provider.judge(question)) for _ in range(10)]

        async def two_are_asked() -> bool:
            return len(stub.asked) == 2

        await eventually(two_are_asked)
        with pytest.raises(ProviderError, match="too many checks wait"):
            await provider.judge(question)
        stub.may_answer.set()

        assert await asyncio.gather(*asking) == [()] * 10
    assert stub.most_at_once == 2
