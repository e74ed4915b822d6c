"""What the orchestrator answers about its backends: the same prompt is counted that is sampled."""

from collections.abc import AsyncGenerator

import orjson
import pytest

from scripted_backend import ScriptedBackend, running_backend, says
from turnwire_contracts.inspecting.sent_prompts import AskForPrompt, NoSample, RebuiltPrompt
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, InputTokenCount, Models, Refusal
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.questions import BackendQuestions
from turnwire_orchestrator.servers import Server
from turnwire_testing.examples import OTHER_ID, requested, user
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def server() -> AsyncGenerator[ScriptedBackend]:
    async with running_backend() as running:
        yield running


@pytest.fixture
async def questions(world: World, server: ScriptedBackend) -> AsyncGenerator[BackendQuestions]:
    backends = Backends([HttpBackend(Server("mock", server.url), Timeouts(1.0, 1.0))])
    yield BackendQuestions(backends, world.ports())
    await backends.close()


async def test_the_models_are_those_of_the_backends(questions: BackendQuestions) -> None:
    answer = await questions.models()
    assert isinstance(answer, Models)
    assert orjson.loads(bytes(answer.body))["data"][0]["id"] == "mock-model"


async def test_a_backend_that_is_away_is_a_refusal(
    questions: BackendQuestions, server: ScriptedBackend
) -> None:
    await server.stop()
    assert isinstance(await questions.models(), Refusal)
    assert isinstance(await questions.input_tokens(requested()), Refusal)


async def test_the_history_and_its_instructions_are_counted(
    world: World, questions: BackendQuestions
) -> None:
    world.backend.plays(*events_of(says("12345678")))
    await world.run(
        await world.request(response_id=OTHER_ID, input=[user("1234")], instructions="Be kind.")
    )
    alone = await questions.input_tokens(requested(input=[user("1234")]))
    more = await questions.input_tokens(
        requested(input=[user("1234")], previous_response_id=OTHER_ID)
    )
    assert alone == InputTokenCount(1 + 4, estimated=True)
    assert more == InputTokenCount(1 + 1 + 2 + 2 + 3 * 4, estimated=True)


async def test_a_history_that_is_not_there_is_a_refusal(questions: BackendQuestions) -> None:
    answer = await questions.input_tokens(requested(previous_response_id=OTHER_ID))
    assert isinstance(answer, Refusal)
    assert answer.failure.code == "previous_response_not_found"


def test_question_and_answer_travel_as_they_are() -> None:
    question = requested(params={"tools": []})
    assert (
        BACKEND_INPUT_TOKENS.decode_question(BACKEND_INPUT_TOKENS.encode_question(question))
        == question
    )
    answer = InputTokenCount(3, estimated=False)
    assert BACKEND_INPUT_TOKENS.decode_answer(BACKEND_INPUT_TOKENS.encode_answer(answer)) == answer


async def test_a_prompt_is_written_again_exactly_as_it_was_sent(
    world: World, server: ScriptedBackend
) -> None:
    server.script(says("Hi."), says("Still here."))
    backends = Backends([HttpBackend(Server("mock", server.url), Timeouts(1.0, 1.0))])
    world.asks = backends
    questions = BackendQuestions(backends, world.ports())
    first = await world.request(response_id=OTHER_ID, input=[user("1234")], instructions="Be kind.")
    await world.run(first)
    second = await world.request(input=[user("5678")], previous_response_id=OTHER_ID)
    await world.run(second)
    answer = await questions.prompt(AskForPrompt(second.tenant, second.response_id))
    assert isinstance(answer, RebuiltPrompt)
    assert (answer.sample, answer.samples, answer.exact) == (1, 1, True)
    assert orjson.loads(bytes(answer.body)) == server.requests[-1].body
    assert answer.record is not None
    assert (answer.record.version, answer.record.api) == (answer.version, "responses")
    await backends.close()


async def test_a_sample_that_was_not_asked_is_none(
    world: World, questions: BackendQuestions
) -> None:
    world.backend.plays(*events_of(says("Hi.")))
    request = await world.request()
    await world.run(request)
    answer = await questions.prompt(AskForPrompt(request.tenant, request.response_id, 2))
    assert answer == NoSample(1)
    # Its backend kept no record, as those of earlier versions did not.
    told = await questions.prompt(AskForPrompt(request.tenant, request.response_id))
    assert isinstance(told, RebuiltPrompt)
    assert (told.exact, told.record) == (None, None)
