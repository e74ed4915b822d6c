"""The API as bytes: what a client without a library sees, frame by frame and chunk by chunk."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

JSON = dict[str, Any]
Body = JSON | bytes | AsyncIterator[bytes]
"""A request's body: an object, its bytes, or its bytes piece by piece and of unsaid length."""

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

RUNNING = ("queued", "in_progress")


class Stream:
    """An open event stream; iterating gives its frames, `[DONE]` and comments left out."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Read nothing yet."""
        self.response = response
        self.frames: list[bytes] = []
        self.chunks: list[bytes] = []
        self.done = False
        self._news = asyncio.Condition()
        self._frames = self._read()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Give one frame after the other."""
        return self._frames

    async def until(self, kind: str, count: int = 1) -> JSON:
        """Read until this many events of a kind have come; gives the last of them."""
        async for frame in self._frames:
            event = payload(frame)
            count -= event["type"] == kind
            if count == 0:
                return event
        raise AssertionError(f"the stream ended without {kind}: {self.frames}")

    async def saw(self, part: bytes, within: float) -> None:
        """Wait until these bytes have come, a comment perhaps, while somebody else reads on."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: any(part in chunk for chunk in self.chunks))

    async def to_the_end(self) -> list[JSON]:
        """Read everything that is left; gives all events, those read before too."""
        async for _ in self._frames:
            pass
        return self.events

    @property
    def events(self) -> list[JSON]:
        """What the frames say."""
        return [payload(frame) for frame in self.frames]

    @property
    def raw(self) -> bytes:
        """All frames in one piece."""
        return b"".join(self.frames)

    async def _read(self) -> AsyncGenerator[bytes]:
        chunk = b""
        async for data, complete in self.response.content.iter_chunks():
            chunk += data
            if not complete:
                continue
            self.chunks.append(chunk)
            async with self._news:
                self._news.notify_all()
            for frame in split(chunk):
                if frame == DONE:
                    self.done = True
                elif not frame.startswith(b":"):
                    self.frames.append(frame)
                    yield frame
            chunk = b""


class Api:
    """The routes, as bytes."""

    def __init__(self, session: aiohttp.ClientSession, url: str, caller: Mapping[str, str]) -> None:
        """`url` ends in /v1; the session outlives this; `caller`: headers that say who it is."""
        self._session = session
        self._url = url
        self._caller = caller

    def under(self, url: str) -> "Api":
        """Give the routes below another address."""
        return Api(self._session, url, self._caller)

    def of(self, caller: Mapping[str, str]) -> "Api":
        """Give the routes as somebody else sees them."""
        return Api(self._session, self._url, caller)

    async def post(self, body: Body, **headers: str) -> tuple[int, JSON]:
        """Create a response; gives the status and the body."""
        async with self.answer(body, **headers) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, JSON]:
        """Get something; gives the status and the body."""
        return await self.call("GET", path)

    async def call(self, method: str, path: str, body: Body | None = None) -> tuple[int, JSON]:
        """Do something with what stands at a path; gives the status and the body."""
        async with self.exchange(method, path, body) as response:
            return response.status, await response.json()

    async def ended(self, response_id: str, within: float = 10.0) -> JSON:
        """Poll a response until it has ended."""
        path = f"/responses/{response_id}"
        return await self.until(path, lambda found: found.get("status") not in RUNNING, within)

    async def until(self, path: str, fact: Callable[[JSON], bool], within: float = 10.0) -> JSON:
        """Get something again and again until it is as it should be."""
        found: JSON = {}
        try:
            async with asyncio.timeout(within):
                while not fact(found := (await self.get(path))[1]):  # noqa: ASYNC110 -- a client polls
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} is still {found}") from None
        return found

    async def until_well(self, within: float = 20.0) -> None:
        """Wait until the gateway says that everything behind it answers."""
        async with asyncio.timeout(within):
            while not await self._is_well():  # noqa: ASYNC110 -- other processes set no event
                await asyncio.sleep(0.05)

    async def _is_well(self) -> bool:
        async with self._session.get(self._url.removesuffix("v1") + "health") as response:
            return response.status == 200

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, body: Body | None = None, **headers: str
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Look at an answer in all detail; `_` in the name of a header stands for `-`."""
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {} if body is None else _content(body)
        everything = {**self._caller, **told, **content.pop("headers", {})}
        async with self._session.request(
            method, self._url + path, headers=everything, **content
        ) as response:
            yield response

    @asynccontextmanager
    async def answer(self, body: Body, **headers: str) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Create a response, and look at what comes back in all detail."""
        async with self.exchange("POST", "/responses", body, **headers) as response:
            yield response

    @asynccontextmanager
    async def stream(self, body: JSON, **headers: str) -> AsyncGenerator[Stream]:
        """Create a response and read it as it comes; leaving the block closes the connection."""
        async with self.answer({**body, "stream": True}, **headers) as response:
            yield await _stream(response)
            response.close()

    @asynccontextmanager
    async def join(self, response_id: str, after: int | None = None) -> AsyncGenerator[Stream]:
        """Read the stream of a response that exists, from behind the frame numbered `after`."""
        query = {"stream": "true"} | ({} if after is None else {"starting_after": str(after)})
        url = f"{self._url}/responses/{response_id}"
        async with self._session.get(url, params=query, headers=self._caller) as response:
            yield await _stream(response)
            response.close()


async def _stream(response: aiohttp.ClientResponse) -> Stream:
    if response.content_type != "text/event-stream":
        raise AssertionError(f"not a stream: {response.status} {await response.text()}")
    return Stream(response)


def split(data: bytes) -> list[bytes]:
    """Cut bytes into frames; what has no blank line at its end stays what it is."""
    return [part for part in data.replace(b"\n\n", b"\n\n\0").split(b"\0") if part]


def payload(frame: bytes) -> JSON:
    """What a frame says."""
    return orjson.loads(frame.partition(b"\ndata: ")[2])


def text_of(response: JSON) -> str:
    """All text of a response's messages."""
    messages: Sequence[JSON] = [each for each in response["output"] if each["type"] == "message"]
    return "".join(part["text"] for message in messages for part in message["content"])


def _content(body: Body) -> dict[str, Any]:
    data = orjson.dumps(body) if isinstance(body, dict) else body
    return {"data": data, "headers": {"Content-Type": "application/json"}}
