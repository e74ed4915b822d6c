"""The body of a chat completion: always streamed, with usage at its end."""

from typing import Any, Final

import orjson

from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.request_fields import TO_CHAT
from turnwire_orchestrator.prompting.chat_messages import chat_messages
from turnwire_orchestrator.prompting.client_tools import client_tools, function_items
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import response_format
from turnwire_orchestrator.prompting.tool_offer import function_offer

_LOGPROBS: Final = "message.output_text.logprobs"


def chat_body(prompt: Prompt, dialect: Dialect) -> bytes:
    """Write the body of `POST /chat/completions`. Raises `UnsayableError`."""
    params = prompt.request.params
    body = conversation(prompt, dialect)
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    body |= {name: params[name] for name in TO_CHAT if name in params}
    body |= _limit(params, dialect) | _style(params) | _logprobs(params) | response_format(params)
    return orjson.dumps(body)


def conversation(prompt: Prompt, dialect: Dialect) -> JSON:
    """Give what the model reads: messages and tools. Raises `UnsayableError`."""
    params = prompt.request.params
    items = function_items(prompt.items, client_tools(params))
    messages = chat_messages(items, prompt.instructions, dialect)
    body: JSON = {"model": prompt.request.model, "messages": messages}
    offer = function_offer(params, dialect)
    if not offer.tools:
        return body
    body["tools"] = [_nested(tool) for tool in offer.tools]
    if offer.choice is not None:
        body["tool_choice"] = _choice(offer.choice)
    if "parallel_tool_calls" in params:
        body["parallel_tool_calls"] = params["parallel_tool_calls"]
    return body


def _limit(params: JSON, dialect: Dialect) -> JSON:
    limit = params.get("max_output_tokens")
    # OpenAI alone has given the older name up; every other server knows it, some know no other.
    name = "max_completion_tokens" if dialect is Dialect.OPENAI else "max_tokens"
    return {} if limit is None else {name: limit}


def _style(params: JSON) -> JSON:
    options = {
        "reasoning_effort": mapping(params.get("reasoning")).get("effort"),
        "verbosity": mapping(params.get("text")).get("verbosity"),
    }
    return {name: value for name, value in options.items() if value is not None}


def _logprobs(params: JSON) -> JSON:
    most = params.get("top_logprobs")
    if not most and _LOGPROBS not in params.get("include", []):
        return {}
    return {"logprobs": True} | ({"top_logprobs": most} if most else {})


def _nested(tool: JSON) -> JSON:
    return {"type": "function", "function": {name: tool[name] for name in tool if name != "type"}}


def _choice(choice: Any) -> Any:
    named = mapping(choice)
    return {"type": "function", "function": {"name": named["name"]}} if named else choice
