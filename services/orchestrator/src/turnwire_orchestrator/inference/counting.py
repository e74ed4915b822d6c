"""How many tokens a prompt has: the backend is asked in the ways that servers know.

`POST /responses/input_tokens` (OpenAI, newer llama.cpp), `/apply-template` and `/tokenize` beside
the API (llama.cpp), `/tokenize` with messages (vLLM). A way that a server does not have is not
tried again. None left: an estimate (`weighing.py`).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import orjson

from turnwire_contracts.json_values import JSON, mapping
from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.ending import refusal
from turnwire_orchestrator.inference.http_client import HttpClient
from turnwire_orchestrator.inference.probing import has_route
from turnwire_orchestrator.prompting.chat_body import conversation
from turnwire_orchestrator.prompting.chat_content import UnsayableError
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import counting_body
from turnwire_orchestrator.prompting.weighing import estimated_tokens

_GOOD: Final = 300
_SERVER_ERROR: Final = 500


class _NoWayError(Exception):
    """The server does not count this way; `for_good`: whatever the prompt."""

    def __init__(self, *, for_good: bool) -> None:
        super().__init__()
        self.for_good = for_good


class Counter:
    """Counts with one server; remembers which ways it has."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        ways = (self._by_responses, self._by_template, self._by_messages)
        self._ways: list[Callable[[Prompt, Dialect], Awaitable[int]]] = [*ways]

    async def count(self, prompt: Prompt, dialect: Dialect) -> InputTokenCount:
        """Count. Raises `TurnFailedError` when the server cannot be reached or refuses."""
        for way in tuple(self._ways):
            try:
                return InputTokenCount(input_tokens=await way(prompt, dialect), estimated=False)
            except _NoWayError as error:
                if error.for_good and way in self._ways:
                    self._ways.remove(way)
        return InputTokenCount(estimated_tokens(prompt, prompt.items), estimated=True)

    async def _by_responses(self, prompt: Prompt, dialect: Dialect) -> int:
        url = f"{self._http.url}/responses/input_tokens"
        status, body = await self._http.post(url, counting_body(prompt, dialect))
        if _GOOD <= status < _SERVER_ERROR and has_route(status, body):
            raise TurnFailedError(refusal(status, body.decode(errors="replace"), "").failure)
        return _whole_number(_said(status, body).get("input_tokens"))

    async def _by_template(self, prompt: Prompt, dialect: Dialect) -> int:
        rendered = await self._beside("apply-template", _conversation(prompt, dialect))
        # As its own completions do.
        text = {"content": rendered.get("prompt"), "add_special": True}
        tokens = (await self._beside("tokenize", text)).get("tokens")
        return _whole_number(len(cast("list[Any]", tokens)) if isinstance(tokens, list) else None)

    async def _by_messages(self, prompt: Prompt, dialect: Dialect) -> int:
        messages = _conversation(prompt, dialect)
        kept = {name: messages[name] for name in ("model", "messages", "tools") if name in messages}
        return _whole_number((await self._beside("tokenize", kept)).get("count"))

    async def _beside(self, route: str, body: JSON) -> JSON:
        """Ask what stands beside the API: the server's own routes."""
        return _said(*await self._http.post(f"{self._http.root}/{route}", orjson.dumps(body)))


def _conversation(prompt: Prompt, dialect: Dialect) -> JSON:
    try:
        return conversation(prompt, dialect)
    except UnsayableError as error:
        raise _NoWayError(for_good=False) from error


def _said(status: int, body: bytes) -> JSON:
    if has_route(status, body) is False:
        raise _NoWayError(for_good=True)
    if status >= _GOOD:
        raise _NoWayError(for_good=False)
    try:
        return mapping(orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise _NoWayError(for_good=True) from error


def _whole_number(said: Any) -> int:
    if isinstance(said, int) and not isinstance(said, bool):
        return said
    # It answered something else: another server's route of the same name.
    raise _NoWayError(for_good=True)
