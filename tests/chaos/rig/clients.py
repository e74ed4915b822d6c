"""A client that does not give up: it asks again with its key, takes its stream up again, polls.

Everything that it sees goes into a `SeenTurn`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import orjson

from chaos.oracle.prompts import JSON
from chaos.oracle.records import Request, SeenTurn
from e2e.rig.wire import DONE, RUNNING, split

MODEL = "mock-model"

_AGAIN_S = 0.2
_LONGEST_PAUSE_S = 1.0
_FINAL_AFTER = 3
"""Refusals with the same code after which a client takes it for the turn's end."""
_GOES_ON = "gateway_stopping"
"""The turn runs on elsewhere, and the same key gives its answer."""
_ERRORS = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Client:
    """The API of one gateway, or of several in turn."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]
    ) -> None:
        """`url` ends in `/v1`; the session outlives this."""
        self._session = session
        self._url = url
        self._headers = headers

    async def run(
        self, seen: SeenTurn, body: JSON, *, within_s: float, cuts: tuple[int, ...] = ()
    ) -> None:
        """Ask, and go on until the turn's end is told, or the time is over.

        A stream is cut off by the client after so many frames, as `cuts` says, and taken up again.
        """
        try:
            async with asyncio.timeout(within_s):
                while not (seen.done or seen.gave_up):
                    await self._go_on(seen, body, cuts)
        except TimeoutError:
            return

    async def cancel(self, seen: SeenTurn) -> None:
        """Ask for the end of a background turn, again and again until that is answered."""
        seen.cancelled = True
        while True:
            with self._noting(seen, "cancel") as request:
                path = f"/responses/{seen.response_id}/cancel"
                async with self._call("POST", path) as answer:
                    await _read_refusal(answer, request)
                    if answer.status < 500:
                        return
            await asyncio.sleep(_AGAIN_S)

    async def view(self, response_id: str) -> JSON | None:
        """What `GET` says of a turn, asked until it is answered; `None`: it is not there."""
        while True:
            try:
                async with self._call("GET", f"/responses/{response_id}") as answer:
                    if answer.status in (200, 404):
                        return None if answer.status == 404 else await answer.json()
            except _ERRORS:
                pass
            await asyncio.sleep(_AGAIN_S)

    async def conversation(self) -> str:
        """Make a conversation; gives its id."""
        while True:
            try:
                async with self._call("POST", "/conversations", b"{}") as answer:
                    if answer.status == 200:
                        return (await answer.json())["id"]
            except _ERRORS:
                pass
            await asyncio.sleep(_AGAIN_S)

    async def _go_on(self, seen: SeenTurn, body: JSON, cuts: tuple[int, ...]) -> None:
        what = "POST"
        if seen.response_id:
            what = "resume" if seen.way == "stream" else "GET"
        with self._noting(seen, what) as request:
            match what:
                case "resume":
                    await self._resume(seen, request, cuts)
                case "GET":
                    await self._poll(seen, request)
                case _:
                    await self._create(seen, body, request, cuts)
        if not seen.done:
            if not (seen.key or seen.response_id):
                seen.gave_up = True
            await asyncio.sleep(_AGAIN_S)

    async def _create(
        self, seen: SeenTurn, body: JSON, request: Request, cuts: tuple[int, ...]
    ) -> None:
        headers = {"Idempotency-Key": seen.key} if seen.key else {}
        async with self._call("POST", "/responses", orjson.dumps(body), headers) as answer:
            if answer.content_type == "text/event-stream":
                request.status = answer.status
                await self._read(seen, answer, cuts)
            elif answer.status < 300:
                request.status = answer.status
                _take_object(seen, await answer.json())
            else:
                await self._refused(seen, answer, request)

    async def _resume(self, seen: SeenTurn, request: Request, cuts: tuple[int, ...]) -> None:
        after = f"&starting_after={len(seen.frames) - 1}" if seen.frames else ""
        path = f"/responses/{seen.response_id}?stream=true{after}"
        async with self._call("GET", path) as answer:
            if answer.content_type == "text/event-stream":
                request.status = answer.status
                await self._read(seen, answer, cuts)
            else:
                await self._refused(seen, answer, request)

    async def _poll(self, seen: SeenTurn, request: Request) -> None:
        async with self._call("GET", f"/responses/{seen.response_id}") as answer:
            if answer.status == 200:
                request.status = 200
                _take_object(seen, await answer.json())
            else:
                await self._refused(seen, answer, request)

    async def _read(
        self, seen: SeenTurn, answer: aiohttp.ClientResponse, cuts: tuple[int, ...]
    ) -> None:
        seen.response_id = seen.response_id or answer.headers.get("x-response-id", "")
        left = b""
        async for data in answer.content.iter_any():
            *frames, left = split_whole(left + data)
            for frame in frames:
                if frame == DONE:
                    seen.done = True
                    return
                if _is_handed_over(frame):
                    return
                if not frame.startswith(b":"):
                    seen.frames.append(frame)
                    if len(seen.frames) in cuts:
                        answer.close()
                        return

    async def _refused(
        self, seen: SeenTurn, answer: aiohttp.ClientResponse, request: Request
    ) -> None:
        error = await _read_refusal(answer, request)
        same = [each for each in seen.requests if each.code == request.code]
        final = answer.headers.get("x-should-retry") == "false" or answer.status < 500
        if final and seen.key and request.code == _GOES_ON:
            return
        if final or len(same) >= _FINAL_AFTER:
            seen.error, seen.done = error, True
            return
        pause = float(answer.headers.get("retry-after", _AGAIN_S))
        await asyncio.sleep(min(pause, _LONGEST_PAUSE_S))

    def _noting(self, seen: SeenTurn, what: str) -> "_Noted":
        return _Noted(seen, what)

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        told = {**self._headers, **headers, "Content-Type": "application/json"}
        async with self._session.request(
            method, self._url + path, data=body, headers=told
        ) as answer:
            yield answer


class _Noted:
    """Notes a request, and what broke it."""

    def __init__(self, seen: SeenTurn, what: str) -> None:
        self._request = Request(what, time.time())
        seen.requests.append(self._request)

    def __enter__(self) -> Request:
        return self._request

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> bool:
        self._request.ended_at = time.time()
        if isinstance(error, _ERRORS):
            self._request.code = self._request.code or type(error).__name__
            return True
        return False


def _is_handed_over(frame: bytes) -> bool:
    """Tell whether a gateway was stopped, and the stream is to be resumed at another."""
    return frame.startswith(b"event: error\n") and b'"gateway_stopping"' in frame


def split_whole(data: bytes) -> list[bytes]:
    """Cut bytes into whole frames; the last piece is what is not whole yet."""
    pieces = split(data)
    return pieces if pieces and not pieces[-1].endswith(b"\n\n") else [*pieces, b""]


async def _read_refusal(answer: aiohttp.ClientResponse, request: Request) -> JSON:
    body = await answer.read()
    request.status = answer.status
    request.says_when = "retry-after" in answer.headers or "x-should-retry" in answer.headers
    try:
        error: JSON = orjson.loads(body).get("error") or {}
    except orjson.JSONDecodeError:
        error = {"code": "", "message": body[:200].decode(errors="replace")}
    request.code = str(error.get("code") or "")
    return error


def _take_object(seen: SeenTurn, answer: JSON) -> None:
    seen.response_id, seen.answer = answer["id"], answer
    seen.done = answer["status"] not in RUNNING
