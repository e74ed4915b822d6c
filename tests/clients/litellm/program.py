"""LiteLLM as a client: one function for each scenario of the compatibility table.

It runs in LiteLLM's own environment. Each line it reads names a scenario; for each it prints one
line of JSON: `{"told": …}`, or `{"failed": …}` with a traceback.
"""

import asyncio
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

# Without it, the import asks the network for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

# Not there for those who check types: it is installed elsewhere.
litellm: Any = importlib.import_module("litellm")

litellm.suppress_debug_info = True

MODEL = os.environ["TURNWIRE_MODEL"]

# LiteLLM asks models that it does not know for whole answers, and cuts those into pieces itself.
litellm.register_model({MODEL: {"litellm_provider": "openai", "supports_native_streaming": True}})

FIRST, SECOND = "What is the capital of France?", "What is it known for?"
HOW_MUCH = "How much is 19 and 23?"

PLACE = {"api_base": os.environ["TURNWIRE_URL"], "api_key": os.environ["TURNWIRE_TOKEN"]}
CALL = {"model": f"openai/{MODEL}", "max_retries": 0, **PLACE}

ADD = {
    "type": "function",
    "name": "add",
    "description": "Add two numbers.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
}


def create() -> Any:
    response = litellm.responses(input=FIRST, **CALL)
    return {"text": response.output_text, "tokens": response.usage.total_tokens}


def create_async() -> Any:
    async def ask() -> str:
        return (await litellm.aresponses(input=FIRST, **CALL)).output_text

    return asyncio.run(ask())


def stream() -> Any:
    events = list(litellm.responses(input=FIRST, stream=True, **CALL))
    return {
        "deltas": [event.delta for event in events if event.type == "response.output_text.delta"],
        "types": [event.type for event in events],
        "tokens": events[-1].response.usage.total_tokens,
    }


def structured() -> Any:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["name", "people"],
        "additionalProperties": False,
    }
    wished = {"type": "json_schema", "name": "city", "strict": True, "schema": schema}
    response = litellm.responses(input=FIRST, text={"format": wished}, **CALL)
    return json.loads(response.output_text)


def tools() -> Any:
    asked = litellm.responses(input=HOW_MUCH, tools=[ADD], **CALL)
    (call,) = asked.output
    given = json.loads(call.arguments)
    result = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": str(given["a"] + given["b"]),
    }
    answered = litellm.responses(input=[result], tools=[ADD], previous_response_id=asked.id, **CALL)
    return {"called": call.name, "text": answered.output_text}


def chain() -> Any:
    first = litellm.responses(input=FIRST, **CALL)
    second = litellm.responses(input=SECOND, previous_response_id=first.id, **CALL)
    return second.output_text


def retrieve() -> Any:
    created = litellm.responses(input=FIRST, **CALL)
    return litellm.get_responses(response_id=created.id, **PLACE).output_text


def delete() -> Any:
    created = litellm.responses(input=FIRST, **CALL)
    deleted = litellm.delete_responses(response_id=created.id, **PLACE)
    try:
        litellm.get_responses(response_id=created.id, **PLACE)
    except litellm.exceptions.NotFoundError as error:
        return {"deleted": deleted.deleted, "then": error.status_code}
    return None


def background() -> Any:
    response = litellm.responses(input=FIRST, background=True, **CALL)
    statuses = [response.status]
    while response.status in {"queued", "in_progress"}:
        response = litellm.get_responses(response_id=response.id, **PLACE)
        if response.status != statuses[-1]:
            statuses.append(response.status)
    return {"statuses": statuses, "text": response.output_text}


def cancel() -> Any:
    created = litellm.responses(input=FIRST, background=True, **CALL)
    return litellm.cancel_responses(response_id=created.id, **PLACE).status


def error() -> Any:
    try:
        litellm.responses(input=FIRST, previous_response_id="resp_unknown", **CALL)
    except litellm.exceptions.NotFoundError as raised:
        return {"status": raised.status_code, "message": str(raised)}
    return None


SCENARIOS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        create,
        create_async,
        stream,
        structured,
        tools,
        chain,
        retrieve,
        delete,
        background,
        cancel,
        error,
    )
}


def answer(scenario: str) -> dict[str, Any]:
    """Play one scenario; a failure is told, and does not end the program."""
    try:
        return {"told": SCENARIOS[scenario]()}
    except Exception:  # noqa: BLE001 -- whatever it is, the test is to say it
        return {"failed": traceback.format_exc()}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(line.strip())) + "\n")
        sys.stdout.flush()
