"""A real llama.cpp server, asked through both adapters: they tell the same story."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass

import orjson
import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import InputTokenCount
from turnwire_contracts.wire.assembly import Assembler
from turnwire_dev.components.model import running_model
from turnwire_orchestrator.failures import PromptTooLongError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.ports import SampleOutcome
from turnwire_orchestrator.prompting.dialect import Api, Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.shortening import shortened
from turnwire_orchestrator.servers import Server
from turnwire_testing.examples import RESPONSE_ID, user
from turnwire_testing.prompts import CUSTOM, prompt
from turnwire_testing.servers import held_open

pytestmark = pytest.mark.model

TIMEOUTS = Timeouts(connect_s=5.0, idle_s=60.0)
TOOL: JSON = {
    "type": "function",
    "name": "add",
    "description": "Add two numbers",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
CALL: JSON = {"tools": [TOOL], "tool_choice": "required", "max_output_tokens": 60}


@dataclass
class Sampled:
    """What the model said, and how it ended."""

    items: list[Item]
    outcome: SampleOutcome

    @property
    def text(self) -> str:
        """The text of the only message."""
        (item,) = self.items
        return item["content"][0]["text"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The model, loaded once."""
    with held_open(running_model(tmp_path_factory.mktemp("model"))) as opened:
        yield opened


@pytest.fixture
async def both(url: str) -> AsyncGenerator[list[HttpBackend]]:
    """The model behind one adapter and behind the other."""
    backends = [HttpBackend(Server(api.value, url, api=api), TIMEOUTS) for api in Api]
    for backend in backends:
        await backend.look()
    yield backends
    for backend in backends:
        await backend.close()


def asked(what: str, params: JSON | None = None, instructions: str | None = None) -> Prompt:
    """Ask for the most probable answer."""
    told = {"temperature": 0, "max_output_tokens": 24} | (params or {})
    return prompt(told, instructions, model="smollm2", input=[user(what)])


async def sample(backend: HttpBackend, told: Prompt) -> Sampled:
    """Sample to the end."""
    assembler = Assembler(RESPONSE_ID)
    async with backend.sample(told) as answering:
        reader = answering.reader(assembler)
        async for events in answering.reads:
            for data in events:
                reader.take(data)
    return Sampled(assembler.items, reader.end())


async def test_both_adapters_tell_the_same(both: list[HttpBackend]) -> None:
    assert [backend.dialect for backend in both] == [Dialect.LLAMA_CPP] * 2

    told = asked("Say hello.", instructions="Answer in one word.")
    first, second = [await sample(backend, told) for backend in both]
    assert first.text == second.text != ""
    assert first.outcome.usage is not None
    assert second.outcome.usage is not None
    assert first.outcome.usage.input_tokens == second.outcome.usage.input_tokens

    # What is counted beforehand is what the model then reads.
    counted = await both[0].input_tokens(told)
    assert counted == InputTokenCount(first.outcome.usage.input_tokens, estimated=False)


async def test_both_adapters_are_cut_at_the_limit(both: list[HttpBackend]) -> None:
    for backend in both:
        cut = await sample(backend, asked("Count to fifty.", {"max_output_tokens": 3}))
        assert (cut.outcome.status, cut.outcome.incomplete_reason) == (
            "incomplete",
            "max_output_tokens",
        )


async def test_both_adapters_call_tools_and_go_on_with_what_they_gave(
    both: list[HttpBackend],
) -> None:
    for backend in both:
        called = await sample(backend, asked("add 17 and 25", CALL))
        call = called.items[0]
        assert (call["type"], call["name"], call["status"]) == ("function_call", "add", "completed")
        assert orjson.loads(call["arguments"]) == {"a": 17, "b": 25}
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
        history = [user("add 17 and 25"), call, output]
        params = {"tools": [TOOL], "temperature": 0, "max_output_tokens": 12}
        went_on = await sample(backend, prompt(params, model="smollm2", input=history))
        assert went_on.text


async def test_both_adapters_answer_in_the_form_that_was_asked_for(
    both: list[HttpBackend],
) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"enum": ["yes"]}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    for backend in both:
        told = await sample(backend, asked("Is it?", {"text": {"format": form}}))
        assert orjson.loads(told.text) == {"ok": "yes"}


async def test_both_adapters_call_a_custom_tool(both: list[HttpBackend]) -> None:
    params = CALL | {"tools": [CUSTOM]}
    for backend in both:
        called = await sample(backend, asked("Change the file: write hello.", params))
        call = called.items[0]
        assert (call["type"], call["name"]) == ("custom_tool_call", "patch")


async def test_chat_completions_say_how_probable_each_token_was(both: list[HttpBackend]) -> None:
    told = await sample(both[1], asked("Say hello.", {"top_logprobs": 2}))
    (part,) = told.items[0]["content"]
    assert "".join(each["token"] for each in part["logprobs"]) == part["text"]
    assert all(len(each["top_logprobs"]) == 2 for each in part["logprobs"])


async def test_a_prompt_that_is_too_long_can_be_shortened_to_what_fits(
    both: list[HttpBackend],
) -> None:
    talk = [
        {"type": "message", "role": role, "content": "word " * 100}
        for _ in range(15)
        for role in ("user", "assistant")
    ]
    params = {"temperature": 0, "max_output_tokens": 4}
    told = prompt(params, model="smollm2", input=[*talk, user("Say hello.")])
    for backend in both:
        with pytest.raises(PromptTooLongError) as raised:
            await sample(backend, told)
        assert raised.value.overflow.limit is not None
        # An eighth of what would fit: reading it all takes the small model its time.
        shorter = shortened(told, raised.value.overflow.tokens, raised.value.overflow.limit // 8)
        assert shorter is not None
        assert (await sample(backend, shorter)).text
