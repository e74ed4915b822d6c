"""The client: one connection pool a stage, a deadline on everything, a bound on what waits."""

import asyncio
import ssl
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx2
import msgspec

from turnwire_chassis.concurrency import ConcurrencyLimit, FullError
from turnwire_chassis.yaml_place import YamlPlace
from turnwire_contracts.json_repair import repaired_json
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import AskForCheck
from turnwire_guard.pipeline import Finding, Provider, ProviderError
from turnwire_guard.providers.llama_guard.answer import findings_in, refusal
from turnwire_guard.providers.llama_guard.conversation import conversation_of
from turnwire_guard.providers.llama_guard.options import Options, read_options
from turnwire_guard.providers.llama_guard.prompt import request_body

_WAITING_FOR_ONE = 4
"""How many may wait for each place: with more, the last would wait for its deadline only."""
_PROBLEM_TIMEOUT_S = 3.0


class LlamaGuardProvider(Provider):
    """Asks a server of the chat completions API."""

    def __init__(self, options: Options) -> None:
        self._options = options
        at_once = options.max_concurrent
        self._admission = ConcurrencyLimit(at_once, at_once * _WAITING_FOR_ONE)
        self._client: httpx2.AsyncClient | None = None

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        """See `Provider.judge`."""
        conversation = conversation_of(question, self._options.last_turns)
        body = request_body(conversation, self._options)
        try:
            async with asyncio.timeout(self._options.timeout_s), self._admission.slot():
                return findings_in(await self._complete(body), self._options)
        except FullError as error:
            raise ProviderError("too many checks wait for the server") from error
        except TimeoutError as error:
            raise ProviderError(f"no verdict in {self._options.timeout_s:g} s") from error

    async def start(self) -> None:
        """See `Provider.start`."""
        self._client = _client(self._options)

    async def stop(self) -> None:
        """See `Provider.stop`."""
        if self._client is not None:
            await self._client.aclose()

    async def problem(self) -> str | None:
        """See `Provider.problem`: asks the server for its models."""
        async with _client(self._options) as client:
            try:
                async with asyncio.timeout(_PROBLEM_TIMEOUT_S):
                    answer = await client.get("models")
            except (httpx2.HTTPError, TimeoutError) as error:
                return f"{self._options.base_url} does not answer: {_named(error)}"
        if answer.status_code != HTTPStatus.OK:
            return f"{self._options.base_url}/models answers {answer.status_code}"
        return None

    async def _complete(self, body: JSON) -> Any:
        if self._client is None:
            raise ProviderError("the stage was not started")
        try:
            answer = await self._client.post("chat/completions", json=body)
        except httpx2.HTTPError as error:
            raise ProviderError(f"the server does not answer: {_named(error)}") from error
        if answer.status_code != HTTPStatus.OK:
            raise refusal(f"the server answers {answer.status_code}", [answer.text])
        try:
            return _decoded(answer.content)
        except ValueError as error:
            raise refusal("the answer is not JSON", [answer.text]) from error


def build(settings: YamlPlace) -> Provider:
    """Make the provider of one stage. Raises PlaceError."""
    return LlamaGuardProvider(read_options(settings))


def _client(options: Options) -> httpx2.AsyncClient:
    key = options.api_key
    return httpx2.AsyncClient(
        base_url=f"{options.base_url}/",
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=options.timeout_s,
        limits=httpx2.Limits(
            max_connections=options.max_concurrent,
            max_keepalive_connections=options.max_concurrent,
        ),
        # What a proxy of the environment is meant for is not the model beside us.
        trust_env=False,
        verify=_system_certificates(),
    )


@cache
def _system_certificates() -> ssl.SSLContext:
    """Give the system's certificates for all stages: loading them stops all else for 40 ms."""
    return httpx2.create_ssl_context(trust_env=False)


def _decoded(body: bytes) -> Any:
    """Raises ValueError."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(repaired_json(body))


def _named(error: Exception) -> str:
    return type(error).__name__
