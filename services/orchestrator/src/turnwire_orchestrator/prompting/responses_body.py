"""The body of a Responses request: the whole history, always streamed, never with our state."""

from typing import Any

import orjson

from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.request_fields import COUNTED, TO_RESPONSES
from turnwire_orchestrator.prompting.cleaning import is_in_namespace, is_plain
from turnwire_orchestrator.prompting.client_tools import client_tools, function_items
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.tool_offer import function_offer, whole_offer

_FORWARDED_INCLUDES = {"reasoning.encrypted_content", "message.output_text.logprobs"}
_LOGPROBS = {"top_logprobs", "message.output_text.logprobs"}


def responses_body(prompt: Prompt, dialect: Dialect) -> bytes:
    """Write the body of `POST /responses`."""
    params = prompt.request.params
    body: JSON = {"model": prompt.request.model, "stream": True, "store": False}
    body |= {name: params[name] for name in TO_RESPONSES if name in params}
    if include := [what for what in params.get("include", []) if what in _FORWARDED_INCLUDES]:
        body["include"] = include
    if dialect is Dialect.LLAMA_CPP:
        body = _without_logprobs(body) | response_format(params)
    return _with_items(body, prompt, dialect)


def counting_body(prompt: Prompt, dialect: Dialect) -> bytes:
    """Write the body of `POST /responses/input_tokens`."""
    params = prompt.request.params
    body: JSON = {"model": prompt.request.model}
    body |= {name: params[name] for name in COUNTED if name in params}
    return _with_items(body, prompt, dialect)


def response_format(params: JSON) -> JSON:
    """Say a structured output as chat completions do, which is how llama.cpp hears it."""
    text_format = mapping(mapping(params.get("text")).get("format"))
    match text_format.get("type"):
        case "json_schema":
            json_schema = {name: each for name, each in text_format.items() if name != "type"}
            schema = {name: each for name, each in json_schema.items() if each is not None}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case _:
            return {}


def _with_items(body: JSON, prompt: Prompt, dialect: Dialect) -> bytes:
    if prompt.instructions:
        body = body | {"instructions": prompt.instructions}
    body = body | _tools(prompt.request.params, dialect)
    return b'%b,"input":%b}' % (orjson.dumps(body)[:-1], _input(prompt, dialect))


def _tools(params: JSON, dialect: Dialect) -> JSON:
    if not params.get("tools"):
        return {}
    # llama.cpp refuses tools of other types.
    only_functions = dialect is Dialect.LLAMA_CPP
    offer = function_offer(params, dialect) if only_functions else whole_offer(params, dialect)
    if not offer.tools:
        return {}
    choice: Any = offer.choice
    return {"tools": offer.tools} | ({} if choice is None else {"tool_choice": choice})


def _input(prompt: Prompt, dialect: Dialect) -> bytes:
    only_plain = dialect is Dialect.LLAMA_CPP and not _all_plain(prompt)
    flat = dialect is not Dialect.OPENAI and _has_namespaces(prompt)
    if not only_plain and not flat:
        return prompt.encoded_input
    tools = client_tools(prompt.request.params)
    if not only_plain:
        return orjson.dumps([tools.qualified(item) for item in prompt.items])
    # It refuses a whole history for one item that it does not know.
    items = function_items(prompt.items, tools)
    return orjson.dumps([item for item in items if is_plain(item)])


def _has_namespaces(prompt: Prompt) -> bool:
    lineage = prompt.past.lineage() if prompt.past else ()
    return any(map(is_in_namespace, prompt.new)) or any(turn.namespaces for turn in lineage)


def _all_plain(prompt: Prompt) -> bool:
    lineage = prompt.past.lineage() if prompt.past else ()
    return all(map(is_plain, prompt.new)) and all(turn.plain for turn in lineage)


def _without_logprobs(body: JSON) -> JSON:
    """Drop what llama.cpp answers with HTTP 400; its chat completions give log probabilities."""
    kept = {name: value for name, value in body.items() if name not in _LOGPROBS}
    if include := [what for what in kept.pop("include", []) if what not in _LOGPROBS]:
        kept["include"] = include
    return kept
