"""The body of a request to a backend: the whole history, always streamed, never with our state."""

from enum import Enum

import orjson

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON, mapping, objects


class Dialect(Enum):
    """Backends that need more than what the Responses API says."""

    PLAIN = "plain"
    LLAMA_CPP = "llama.cpp"


_FORWARDED = (
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "max_output_tokens",
    "parallel_tool_calls", "reasoning", "text", "top_logprobs", "truncation", "service_tier",
    "user", "safety_identifier", "prompt_cache_key",
    # Extensions that vLLM, llama.cpp and SGLang know.
    "stop", "seed", "top_k", "min_p", "repetition_penalty", "logit_bias", "chat_template_kwargs",
)  # fmt: skip
"""Fields that go to the backend as the client gave them; state and metadata stay here."""

_FORWARDED_INCLUDES = {"reasoning.encrypted_content", "message.output_text.logprobs"}


def backend_body(
    request: Requested, encoded_input: bytes, instructions: str | None, dialect: Dialect
) -> bytes:
    """Write the JSON body; `encoded_input` is the JSON list of all items, oldest first."""
    params = request.params
    body: JSON = {"model": request.model, "stream": True, "store": False}
    body |= {name: params[name] for name in _FORWARDED if name in params}
    if instructions:
        body["instructions"] = instructions
    if include := [what for what in params.get("include", []) if what in _FORWARDED_INCLUDES]:
        body["include"] = include
    body |= _tools(params, dialect)
    if dialect is Dialect.LLAMA_CPP:
        body |= _response_format(params)
    return b'%b,"input":%b}' % (orjson.dumps(body)[:-1], encoded_input)


def _tools(params: JSON, dialect: Dialect) -> JSON:
    tools = [_without_nulls(tool) for tool in objects(params.get("tools"))]
    if dialect is Dialect.LLAMA_CPP:
        # It refuses tools of other types, and answers null members with HTTP 500.
        tools = [tool for tool in tools if tool.get("type") == "function"]
    choice = params.get("tool_choice")
    if not tools or (choice == "none" and dialect is Dialect.LLAMA_CPP):
        return {}
    return {"tools": tools} | ({} if choice is None else {"tool_choice": choice})


def _without_nulls(tool: JSON) -> JSON:
    return {name: value for name, value in tool.items() if value is not None}


def _response_format(params: JSON) -> JSON:
    """Say a structured output the way llama.cpp hears it: as chat completions do."""
    wanted = mapping(mapping(params.get("text")).get("format"))
    match wanted.get("type"):
        case "json_schema":
            schema = {name: value for name, value in wanted.items() if name != "type"}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case _:
            return {}
