"""`/v1/responses/{response_id}/prompt`: what the orchestrator answers, and what else may come."""

import orjson
import pytest
from msgspec import Raw

from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.inspecting.sent_prompts import BACKEND_PROMPT, NoSample, RebuiltPrompt
from turnwire_contracts.queries import Refusal
from turnwire_gateway.errors import invalid
from turnwire_testing.examples import AT
from turnwire_testing.gateway import Api, error_of

BODY = {"model": "m", "input": "Hello?"}


async def tells(api: Api, answer: RebuiltPrompt | NoSample | Refusal) -> str:
    """Let the orchestrator answer so; gives the path of a response's prompt."""
    await api.answers(BACKEND_PROMPT.subject, BACKEND_PROMPT.encode_answer(answer))
    return f"/v1/responses/{(await api.say('Hello?'))['id']}/prompt"


async def test_a_prompt_is_shown_with_who_sent_it_and_whether_it_is_that(api: Api) -> None:
    record = SampleRecord("0.0.9", "chat", "vllm", "digest", AT)
    raw = Raw(orjson.dumps(BODY))
    path = await tells(
        api, RebuiltPrompt(2, 3, "0.1.0", "chat", 31, raw, exact=True, record=record)
    )
    exchange = await api.get(f"{path}?sample=2")
    assert exchange.status == 200
    assert exchange.json == {
        "response_id": path.split("/")[3],
        "object": "response.prompt",
        "sample": 2,
        "samples": 3,
        "api": "chat",
        "sent_by": "0.0.9",
        "rebuilt_by": "0.1.0",
        "exact": True,
        "bytes": 31,
        "body": BODY,
    }


async def test_a_prompt_too_large_for_a_message_is_told_by_its_size(api: Api) -> None:
    path = await tells(
        api, RebuiltPrompt(1, 1, "0.1.0", "responses", 9_000_000, Raw(b"null"), exact=None)
    )
    shown = (await api.get(path)).json
    assert (shown["body"], shown["bytes"], shown["sent_by"]) == (None, 9_000_000, None)


async def test_a_sample_that_is_not_there_is_named_with_how_many_there_are(api: Api) -> None:
    path = await tells(api, NoSample(2))
    exchange = await api.get(f"{path}?sample=3")
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "sample"
    assert "asked 2 times" in exchange.json["error"]["message"]


@pytest.mark.parametrize("value", ["0", "-1", "1001", "last", ""])
async def test_a_number_that_no_sample_has_is_refused_by_name(api: Api, value: str) -> None:
    path = await tells(api, NoSample(0))
    exchange = await api.get(f"{path}?sample={value}")
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "sample"


async def test_a_refusal_of_the_orchestrator_is_passed_on(api: Api) -> None:
    path = await tells(api, Refusal(invalid("Invalid value: no.", "input").failure))
    assert error_of(await api.get(path)) == (400, "invalid_value")
