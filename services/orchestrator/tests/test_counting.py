"""How many tokens a prompt has: asked where the server counts, estimated where none does."""

from collections.abc import AsyncGenerator

import pytest

from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.counting import Counter
from turnwire_orchestrator.inference.http_client import HttpClient, Timeouts
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_testing.examples import user
from turnwire_testing.plain_http import PlainServer, serving
from turnwire_testing.prompts import FUNCTION, prompt

BY_RESPONSES = "POST /v1/responses/input_tokens"
TEMPLATE = "POST /apply-template"
TOKENIZE = "POST /tokenize"
ASKED = prompt({"tools": [FUNCTION], "temperature": 1.0}, "Be brief.", input=[user("12345678")])
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "12345678"},
]
PLAIN = prompt(input=[user("12345678")])
ESTIMATE = InputTokenCount(2 + 4, estimated=True)


@pytest.fixture
async def server() -> AsyncGenerator[PlainServer]:
    async with serving({}) as running:
        yield running


@pytest.fixture
async def counter(server: PlainServer) -> AsyncGenerator[Counter]:
    http = HttpClient(server.url, None, Timeouts(1.0, 1.0))
    yield Counter(http)
    await http.close()


async def count(counter: Counter, asked: Prompt = PLAIN) -> InputTokenCount:
    """Count a prompt."""
    return await counter.count(asked, Dialect.PLAIN)


async def test_a_responses_server_counts_what_it_would_be_sent(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[BY_RESPONSES] = (200, {"input_tokens": 34, "object": "response.input_tokens"})
    assert await count(counter, ASKED) == InputTokenCount(34, estimated=False)
    (body,) = server.bodies
    assert set(body) == {"model", "instructions", "tools", "input"}


async def test_llama_cpp_counts_what_its_template_makes_of_the_messages(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[TEMPLATE] = (200, {"prompt": "<|user|>"})
    server.routes[TOKENIZE] = (200, {"tokens": [1, 2, 3]})
    assert await count(counter, ASKED) == InputTokenCount(3, estimated=False)
    _, rendered, tokenized = server.bodies
    assert rendered["messages"] == MESSAGES
    assert rendered["tools"][0]["function"]["name"] == "add"
    assert tokenized == {"content": "<|user|>", "add_special": True}


async def test_vllm_counts_the_messages(server: PlainServer, counter: Counter) -> None:
    server.routes[TOKENIZE] = (200, {"count": 7, "max_model_len": 10, "tokens": [1]})
    assert await count(counter, ASKED) == InputTokenCount(7, estimated=False)
    assert server.bodies[-1]["messages"] == MESSAGES


async def test_where_nobody_counts_the_bytes_are(server: PlainServer, counter: Counter) -> None:
    assert await count(counter) == ESTIMATE
    assert server.asked == [BY_RESPONSES, TEMPLATE, TOKENIZE]


async def test_a_way_that_a_server_does_not_have_is_not_tried_again(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[TOKENIZE] = (200, {"count": 7})
    for _ in range(3):
        await count(counter)
    assert server.asked == [BY_RESPONSES, TEMPLATE, *[TOKENIZE] * 3]


async def test_a_route_of_another_server_is_no_way(server: PlainServer, counter: Counter) -> None:
    server.routes |= {
        BY_RESPONSES: (200, {"hello": "world"}),
        TEMPLATE: (200, "a page"),
        TOKENIZE: (200, {"count": True}),
    }
    assert await count(counter) == ESTIMATE
    assert await count(counter) == ESTIMATE
    assert len(server.asked) == 3


async def test_a_prompt_that_a_server_cannot_count_is_estimated_and_the_next_is_counted(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[TOKENIZE] = (500, {"error": "a template of yours"})
    assert await count(counter) == ESTIMATE
    server.routes[TOKENIZE] = (200, {"count": 7})
    assert await count(counter) == InputTokenCount(7, estimated=False)


async def test_what_cannot_be_said_in_messages_is_estimated(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[TOKENIZE] = (200, {"count": 7})
    image = {"type": "input_image", "file_id": "file_1"}
    asked = prompt(input=[{"type": "message", "role": "user", "content": [image]}])
    assert (await count(counter, asked)).estimated
    assert not (await count(counter)).estimated


async def test_a_refusal_of_the_request_itself_is_told(
    server: PlainServer, counter: Counter
) -> None:
    server.routes[BY_RESPONSES] = (400, {"error": {"message": "no such tool", "param": "tools"}})
    with pytest.raises(TurnFailedError) as raised:
        await count(counter)
    assert (raised.value.failure.http_status, raised.value.failure.param) == (400, "tools")


async def test_a_server_that_is_away_is_told() -> None:
    http = HttpClient("http://127.0.0.1:9/v1", None, Timeouts(1.0, 1.0))
    with pytest.raises(TurnFailedError):
        await count(Counter(http))
    await http.close()
