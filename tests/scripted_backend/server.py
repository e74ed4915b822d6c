"""The backend as a test sees it: a server on loopback, a script, a record, and a gate."""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from scripted_backend.answers import Answer, Dialect
from scripted_backend.connection import Connection, HttpRequest
from scripted_backend.control import Controls
from scripted_backend.grammar import Exchange
from scripted_backend.performance import Performance, Settings, http_head, json_head
from scripted_backend.player import Gate
from scripted_backend.recording import RecordedRequest, Recorder
from scripted_backend.scripts import Matcher, Rule, Script, any_request

_CREATE = {"/v1/responses": "responses", "/v1/chat/completions": "chat"}
_ASKED = {"responses": "input", "chat": "messages"}
"""What a request cannot do without."""

_OWNERS = {"llamacpp": "llamacpp", "vllm": "vllm", "sglang": "sglang", "ollama": "library"}
_ACCEPTING = 4
"""Steps of the loop after which a client that asyncio accepted is a connection."""

_MODELS = ("mock-model", "mock-tool", "mock-fail", "mock-slow")


class ScriptedBackend:
    """An inference server whose behaviour a test scripts; made by `running_backend`."""

    def __init__(self, settings: Settings, keep: int | None = None) -> None:
        self._script = Script(settings)
        self._record = Recorder(keep)
        self.gate = Gate(self._record.changed)
        self._controls = Controls(self._script, self._record, self.gate)
        self._connections: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None
        self.url = ""
        self.models: Sequence[str] = _MODELS

    # What a test arranges.

    def script(self, *answers: Answer, when: Matcher = any_request) -> None:
        """Queue answers: each matching request takes the first one left that is for it."""
        for answer in answers:
            self._script.add(answer, when)

    def always(self, answer: Answer, when: Matcher = any_request) -> None:
        """Answer every matching request for which nothing is queued."""
        self._script.add_standing(answer, when)

    def answers_by(self, rule: Rule) -> None:
        """Answer every request by what stands in it, unless an answer is scripted for it."""
        self._script.add_rule(rule)

    def release(self) -> None:
        """Let the paused answers go on. An error if none is, so that a wrong test fails."""
        if self.gate.release() == 0:
            msg = "no answer is paused"
            raise RuntimeError(msg)

    # What a test looks at.

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """The create requests so far, oldest first."""
        return tuple(self._record.requests)

    @property
    def unplayed(self) -> int:
        """How many queued answers no request has taken."""
        return len(self._script)

    @property
    def in_flight(self) -> int:
        """How many answers are on their way now."""
        return self._record.counters.in_flight

    @property
    def max_in_flight(self) -> int:
        """The most answers that were on their way at once."""
        return self._record.counters.max_in_flight

    @property
    def disconnects(self) -> int:
        """How many clients went away before their answer's end."""
        return self._record.counters.disconnects

    # What a test waits for; each raises TimeoutError after `within` seconds.

    async def saw_request(self, count: int = 1, within: float = 30.0) -> RecordedRequest:
        """Wait until so many requests have come; gives that request."""
        requests = self._record.requests
        await self._record.until(lambda: len(requests) >= count, f"request {count}", within)
        return requests[count - 1]

    async def saw_disconnect(self, within: float = 30.0, *, count: int = 1) -> None:
        """Wait until so many clients have gone away before their answer's end."""
        what = f"disconnect {count}"
        await self._record.until(lambda: self.disconnects >= count, what, within)

    async def saw_pause(self, within: float = 30.0, *, count: int = 1) -> None:
        """Wait until so many answers are held at once."""
        await self._record.until(lambda: self.gate.paused >= count, f"{count} paused", within)

    async def became_idle(self, within: float = 30.0) -> None:
        """Wait until no answer is on its way."""
        await self._record.until(lambda: self.in_flight == 0, "the end of all answers", within)

    # What its connections call.

    def joined(self, connection: Connection) -> int:
        """Note a new connection."""
        self._connections.add(connection)
        return next(self._numbers)

    def parted(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def ended(self, tokens: int, *, left: bool) -> None:
        """Note the end of an answer."""
        self._record.ended(tokens, left=left)

    def answer(self, request: HttpRequest) -> Performance | bytes:
        """Answer one HTTP request."""
        settings = self._script.settings
        api = _CREATE.get(request.path if request.path.startswith("/v1") else f"/v1{request.path}")
        if request.method == "POST" and api in settings.apis:
            return self._create(request, str(api))
        if request.path in {"/v1/models", "/models"}:
            owner = _OWNERS.get(settings.dialect, "mock")
            models = [{"id": name, "object": "model", "owned_by": owner} for name in self.models]
            return _json({"object": "list", "data": models})
        if request.path in {"/health", "/v1/health"}:
            return _json({"status": "ok"})
        told = self._controls.handle(request)
        return _error(404, f"no such path {request.path}") if told is None else _json(told)

    def _create(self, request: HttpRequest, api: str) -> Performance | bytes:
        try:
            body: dict[str, Any] = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return _error(400, "the body is not JSON")
        if _ASKED[api] not in body:
            # Whoever looks which routes there are asks for nothing.
            return _error(400, f"'{_ASKED[api]}' is required")
        size = len(request.body)
        record = RecordedRequest(body, request.headers, request.connection, request.path)
        self._record.began(record, size)
        exchange = Exchange(body, size, next(self._numbers), int(time.time()), api == "chat")
        return self._script.next(exchange)

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 is any free one."""
        loop = asyncio.get_running_loop()
        host = "127.0.0.1"
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=4096)
        self.url = f"http://{host}:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        """Stop listening and drop all connections."""
        if self._server is not None:
            self._server.close()
            for _ in range(_ACCEPTING):
                await asyncio.sleep(0)
            for connection in tuple(self._connections):
                connection.transport.abort()
            while self._connections:  # noqa: ASYNC110 - each says so in the loop's next step
                await asyncio.sleep(0)
            await self._server.wait_closed()


@asynccontextmanager
async def running_backend(
    *,
    port: int = 0,
    tokens: int = 16,
    token_text: str = "word ",  # noqa: S107 - a token of text
    dialect: Dialect = "openai",
    apis: tuple[str, ...] = ("responses", "chat"),
) -> AsyncGenerator[ScriptedBackend, None]:
    """Run a backend in this event loop, on a free loopback port."""
    backend = ScriptedBackend(Settings(tokens, token_text, dialect=dialect, apis=apis))
    await backend.start(port)
    try:
        yield backend
    finally:
        await backend.stop()


def _json(told: Any) -> bytes:
    body = orjson.dumps(told)
    return json_head(len(body)) + body


def _error(status: int, message: str) -> bytes:
    told = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    body = orjson.dumps({"error": told})
    return http_head(status, "application/json", len(body)) + body
