"""One inference server: which API it speaks is set or found out, and each is spoken to its own way.

Responses as they are, or chat completions: `Prompt` in, what an assembler is told out.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial

import orjson
import structlog

from turnwire_chassis.redaction import redacted_text
from turnwire_contracts.administration.deployment import BackendStatus
from turnwire_contracts.json_values import mapping, objects
from turnwire_contracts.queries import InputTokenCount
from turnwire_orchestrator import failures
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.chat_reading import ChatReader
from turnwire_orchestrator.inference.counting import Counter
from turnwire_orchestrator.inference.http_client import HttpClient, Timeouts
from turnwire_orchestrator.inference.pool.routing import served
from turnwire_orchestrator.inference.pool.server_health import ServerHealth
from turnwire_orchestrator.inference.probing import EMPTY_REQUEST, api_spoken, has_route, in_words
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import BackendStream, SentPrompt
from turnwire_orchestrator.prompting.chat_body import chat_body
from turnwire_orchestrator.prompting.chat_content import UnsayableError
from turnwire_orchestrator.prompting.client_tools import client_tools
from turnwire_orchestrator.prompting.dialect import Api, Dialect, dialect_of
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import responses_body
from turnwire_orchestrator.servers import Server

log = structlog.get_logger()

_LOOK_WITHIN_S = 2.0
"""How long the first sample waits to learn which API the server speaks."""

_LOOK_EVERY_S = 60.0
"""Models come and go, and so do servers; what is known is never older."""

_LOOK_AGAIN_S = 1.0
"""A server that is not understood yet is looked at again so soon."""

_UNLISTED = (404, 405)

_PATHS = {Api.RESPONSES: "/responses", Api.CHAT: "/chat/completions"}
"""In the order in which a server is asked for them."""

_SET = "the settings say so"


class HttpBackend:
    """A server over HTTP; must be made inside the event loop."""

    def __init__(self, server: Server, timeouts: Timeouts) -> None:
        self.served = served(server.models, ())
        """Its models, when it was last seen."""
        self.server = server
        self.dialect = Dialect.PLAIN
        self.api = server.api
        self.why = "" if server.api is None else _SET
        """How it is known that it speaks `api`; empty while it is not."""
        self.health = ServerHealth(asyncio.get_running_loop().time)
        self._probed: Dialect | None = None
        self._http = HttpClient(server.url, server.api_key, timeouts)
        self._counter = Counter(self._http)
        self._looking: asyncio.Task[None] | None = None
        self._logged: dict[str, str | None] = {}

    async def close(self) -> None:
        """End all connections."""
        if self._looking is not None:
            self._looking.cancel()
        await self._http.close()

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        await self._settle()
        tools = client_tools(prompt.request.params)
        sent = written(prompt, self.api or Api.RESPONSES, self.dialect)
        path = _PATHS[Api(sent.api)]
        if self.api is Api.CHAT:
            reader = partial(ChatReader, tools=tools)
        else:
            limit = prompt.request.params.get("max_output_tokens")
            reader = partial(Reader, max_output_tokens=limit, tools=tools)
        async with self._http.stream(f"{self._http.url}{path}", sent.body) as reads:
            yield BackendStream(reads, reader, sent=sent)

    async def spoken(self) -> tuple[Api, Dialect]:
        """Tell how the server would be asked now."""
        await self._settle()
        return self.api or Api.RESPONSES, self.dialect

    async def models(self) -> bytes:
        """Give the server's own list of models, as JSON. Raises `TurnFailedError`."""
        body = await self._http.get(f"{self._http.url}/models")
        self._note(body)
        return body

    async def input_tokens(self, prompt: Prompt) -> InputTokenCount:
        """Count what the model would read. Raises `TurnFailedError`."""
        await self._settle()
        return await self._counter.count(prompt, self.dialect)

    async def keep_looking(self) -> None:
        """Find out what the server is and serves, for ever."""
        while True:
            try:
                await self.look()
            except TurnFailedError as error:
                self._log("backend not found", why=error.failure.message)
                await asyncio.sleep(_LOOK_AGAIN_S)
            else:
                api = self.api.value if self.api else None
                self._log("backend found", api=api, dialect=self.dialect.value, why=self.why)
                await asyncio.sleep(_LOOK_EVERY_S)

    async def look(self) -> None:
        """Find out what the server is, once for all who want to know now.

        Raises `TurnFailedError` while that cannot be found out.
        """
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            # Who asked may have stopped waiting.
            self._looking.add_done_callback(_ignore_failure)
        await asyncio.shield(self._looking)

    def status(self, problem: str | None) -> BackendStatus:
        """Tell operators what is known of the server; `problem`: why it does not answer."""
        return BackendStatus(
            name=self.server.name,
            url=redacted_text(self.server.url),
            api=self.api.value if self.api else None,
            why=self.why,
            models=sorted({*self.served.names, *self.served.globs}),
            problem=problem,
        )

    async def _settle(self) -> None:
        """Let the first who ask wait for a look; what is not found out in time is guessed."""
        if self.api is None:
            with suppress(TurnFailedError, TimeoutError):
                async with asyncio.timeout(_LOOK_WITHIN_S):
                    await self.look()

    async def _look(self) -> None:
        try:
            await self.models()
        except TurnFailedError as error:
            if error.failure.http_status not in _UNLISTED:
                raise
        if self.server.api is None and self._probed is not self.dialect:
            # Not seen before, or another server in its place.
            self.api, self.why = await self._spoken()
            self._probed = self.dialect

    async def _spoken(self) -> tuple[Api, str]:
        answers: list[str] = []
        found: dict[Api, bool | None] = dict.fromkeys(_PATHS)
        for api, path in _PATHS.items():
            status, body = await self._http.post(f"{self._http.url}{path}", EMPTY_REQUEST)
            found[api] = has_route(status, body)
            answers.append(in_words(path, status, body))
            if found[api] is not False:
                break
        api = api_spoken(responses=found[Api.RESPONSES], chat=found[Api.CHAT])
        why = "; ".join(answers)
        if api is not None:
            return api, why
        unclear = None in (found[Api.RESPONSES], found[Api.CHAT])
        say = failures.backend_not_clear if unclear else failures.backend_speaks_nothing
        raise TurnFailedError(say(self.server.url, why))

    def _log(self, event: str, **about: str | None) -> None:
        """Log what is news; a server is looked at again and again."""
        if self._logged != {"event": event, **about}:
            self._logged = {"event": event, **about}
            log.info(event, backend=self.server.name, **about)

    def _note(self, body: bytes) -> None:
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            why = "its list of models is no JSON"
            raise TurnFailedError(failures.backend_speaks_nothing(self.server.url, why)) from error
        self.served = served(self.server.models, objects(mapping(said).get("data")))
        self.dialect = dialect_of(said)


def written(prompt: Prompt, api: Api, dialect: Dialect) -> SentPrompt:
    """Write a prompt in the words of an API; raises `TurnFailedError` if it has none for it."""
    if api is Api.RESPONSES:
        return SentPrompt(api.value, dialect.value, responses_body(prompt, dialect))
    try:
        return SentPrompt(api.value, dialect.value, chat_body(prompt, dialect))
    except UnsayableError as error:
        raise TurnFailedError(failures.unsayable(str(error))) from error


def _ignore_failure(looking: asyncio.Task[None]) -> None:
    if not looking.cancelled():
        looking.exception()
