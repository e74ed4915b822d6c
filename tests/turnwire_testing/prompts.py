"""Prompts to ask backends, as tests write them."""

from typing import Any

import orjson

from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.prompting.chat_body import chat_body
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.history import HistoryTurn
from turnwire_orchestrator.prompting.prompt import Prompt, prompt_for
from turnwire_orchestrator.prompting.responses_body import responses_body
from turnwire_testing.examples import requested

FUNCTION: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}
OTHER: JSON = {"type": "function", "name": "sub", "parameters": {"type": "object"}}
CUSTOM: JSON = {"type": "custom", "name": "patch", "description": "Change a file."}
SEARCH: JSON = {"type": "web_search"}


def prompt(
    params: JSON | None = None,
    instructions: str | None = None,
    past: HistoryTurn | None = None,
    **request: Any,
) -> Prompt:
    """A prompt; `request` changes what was requested."""
    return prompt_for(requested(params=params or {}, **request), past, instructions)


def as_response(asked: Prompt, dialect: Dialect = Dialect.PLAIN) -> JSON:
    """The body of a Responses request as the backend reads it."""
    return orjson.loads(responses_body(asked, dialect))


def as_chat(asked: Prompt, dialect: Dialect = Dialect.PLAIN) -> JSON:
    """The body of a chat completion as the backend reads it."""
    return orjson.loads(chat_body(asked, dialect))
