"""Clients of all kinds on OpenAI's own SDK, which tries again as it does everywhere."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from msgspec import Struct, field
from openai import APIError, AsyncOpenAI, DefaultAsyncHttpx2Client

JSON = dict[str, Any]

KINDS = ("plain", "stream", "background", "chain")
RUNNING = ("queued", "in_progress")
MODEL = "mock-model"

_DONE = b"data: [DONE]\n\n"
_CHAIN_TURNS = 6
_POLL_S = 0.5
_TRY_AGAIN_S = 0.5
_REFUSED = 500


class Seen(Struct):
    """One turn as its client saw it."""

    kind: str
    response_id: str
    body: JSON | None = None
    """The answer, for a turn that was asked for plainly."""
    frames: bytes = b""
    """Every frame of a stream, over all its connections."""
    done: bool = False
    previous: str | None = None


class Tally(Struct):
    """What came of all requests."""

    seen: list[Seen] = field(default_factory=list[Seen])
    calls: int = 0
    """Requests as an application makes them, whatever the SDK did below."""
    refused: list[str] = field(default_factory=list[str])
    """Answers of 5xx that the SDK was given, as `<status> <code>`; it tried again after most."""
    failed: list[str] = field(default_factory=list[str])
    """Calls that failed in the end."""
    unannounced: list[str] = field(default_factory=list[str])
    """Refusals that say neither when to try again nor that trying again is no use."""
    slowest_s: float = 0.0


class Clients:
    """So many clients, each with its own connections, on all gateways in turn."""

    def __init__(self, urls: Sequence[str], seed: int) -> None:
        """Each client is one of `KINDS` in turn; `seed` says when streams are cut."""
        self._urls = urls
        self._seed = seed
        self.tally = Tally()
        self._leaving = asyncio.Event()

    async def run(self, clients: int) -> None:
        """Work until `leave` is called; every turn that was begun is read to its end."""
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(number))

    def leave(self) -> None:
        """Begin no more turns."""
        self._leaving.set()

    async def _client(self, number: int) -> None:
        kind = KINDS[number % len(KINDS)]
        chance = random.Random(f"{self._seed}-{number}")  # noqa: S311 -- not for secrets
        async with connected(self._urls[number // len(KINDS) % len(self._urls)], self.tally) as sdk:
            visit = Visit(sdk, self.tally, chance)
            while not self._leaving.is_set():
                began = time.monotonic()
                self.tally.calls += 1
                try:
                    await getattr(visit, kind)()
                except APIError as error:
                    self.tally.failed.append(f"{kind}: {error!r:.200}")
                    await asyncio.sleep(_TRY_AGAIN_S)
                self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - began)


class Visit:
    """One client's next turn, by kind."""

    def __init__(self, sdk: AsyncOpenAI, tally: Tally, chance: random.Random) -> None:
        self._sdk = sdk
        self._tally = tally
        self._chance = chance
        self._last: str | None = None
        self._length = 0

    async def plain(self) -> None:
        """Ask, and wait for the answer."""
        await self._ask("plain", None)

    async def chain(self) -> None:
        """Continue the last turn, or begin anew after some."""
        if self._length >= _CHAIN_TURNS:
            self._last, self._length = None, 0
        seen = await self._ask("chain", self._last)
        self._last, self._length = seen.response_id, self._length + 1

    async def background(self) -> None:
        """Queue a turn, and look until it has ended."""
        body = await self._sdk.responses.with_raw_response.create(
            model=MODEL, input="Work.", background=True
        )
        answer: JSON = body.http_response.json()
        self._tally.seen.append(seen := Seen("background", answer["id"]))
        while not seen.done:
            await asyncio.sleep(_POLL_S)
            try:
                answer = await stored(self._sdk, seen.response_id)
            except APIError as error:
                self._tally.failed.append(f"retrieve: {error!r:.200}")
            seen.body, seen.done = answer, answer["status"] not in RUNNING

    async def stream(self) -> None:
        """Read a stream that is cut off now and then, and go on behind the last frame."""
        # `slow` thinks two seconds before its first token.
        model = self._chance.choice((MODEL, MODEL, "slow-model"))
        asked = self._sdk.responses.with_streaming_response.create(
            model=model, input="Talk.", stream=True
        )
        seen = Seen("stream", "")
        async with asked as answer:
            await self._read(seen, answer.http_response)
        while not seen.done:
            self._tally.calls += 1
            try:
                more = self._sdk.responses.with_streaming_response.retrieve(
                    seen.response_id, stream=True, starting_after=count(seen.frames) - 1
                )
                async with more as answer:
                    await self._read(seen, answer.http_response)
            except APIError as error:
                self._tally.failed.append(f"resume: {error!r:.200}")
                await asyncio.sleep(_TRY_AGAIN_S)

    async def _ask(self, kind: str, previous: str | None) -> Seen:
        continued = {} if previous is None else {"previous_response_id": previous}
        answer = await self._sdk.responses.with_raw_response.create(
            model=MODEL, input="Talk.", extra_body=continued
        )
        body: JSON = answer.http_response.json()
        self._tally.seen.append(seen := Seen(kind, body["id"], body, done=True, previous=previous))
        return seen

    async def _read(self, seen: Seen, answer: httpx2.Response) -> None:
        """Read whole frames, up to the end or to a cut."""
        if not seen.response_id:
            seen.response_id = answer.headers["x-response-id"]
            self._tally.seen.append(seen)
        patience = self._chance.choice((0.3, 1.0, 60.0, 60.0))
        left = b""
        try:
            async with asyncio.timeout(patience):
                async for data in answer.aiter_bytes():
                    *frames, left = (left + data).split(b"\n\n")
                    for frame in frames:
                        self._take(seen, frame + b"\n\n")
        except TimeoutError:
            return

    def _take(self, seen: Seen, frame: bytes) -> None:
        if frame == _DONE:
            seen.done = True
        elif not frame.startswith(b":"):
            seen.frames += frame


def count(frames: bytes) -> int:
    """How many frames these are."""
    return frames.count(b"\n\n")


async def stored(sdk: AsyncOpenAI, response_id: str) -> JSON:
    """A response as the API tells it now."""
    answer = await sdk.responses.with_raw_response.retrieve(response_id)
    return answer.http_response.json()


@asynccontextmanager
async def connected(url: str, tally: Tally) -> AsyncGenerator[AsyncOpenAI]:
    """OpenAI's SDK as it is taken by everybody, with its own two retries; refusals are counted."""

    async def note(answer: httpx2.Response) -> None:
        if answer.status_code < _REFUSED:
            return
        body = await answer.aread()
        tally.refused.append(f"{answer.status_code} {body[:300]!r}")
        if not {"retry-after", "x-should-retry"} & set(answer.headers):
            tally.unannounced.append(tally.refused[-1])

    hooks: Any = {"response": [note]}
    async with (
        DefaultAsyncHttpx2Client(event_hooks=hooks) as http,
        AsyncOpenAI(base_url=url, api_key="any", http_client=http) as sdk,
    ):
        yield sdk
