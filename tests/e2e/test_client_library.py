"""`turnwire-client` against the running stack: what breaks on the way loses no event."""

import asyncio
import queue
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_client import RefusedError, Turnwire
from turnwire_client.objects import text_of
from turnwire_testing.tcp_proxy import Proxy, proxy_to

WORDS = [f"word {number} " for number in range(40)]


class StreamReader:
    """Reads a stream in a thread, and says how far it has come."""

    def __init__(self, events: Any) -> None:
        """`events`: a `ResumedStream`."""
        self.stream = events
        self.seen: list[dict[str, Any]] = []
        self._news: queue.Queue[int] = queue.Queue()
        self._done = asyncio.create_task(asyncio.to_thread(self._read))

    async def has_seen(self, count: int) -> None:
        """Wait until so many events were read."""
        async with asyncio.timeout(60):
            while await asyncio.to_thread(self._news.get) < count:
                pass

    async def to_the_end(self) -> list[dict[str, Any]]:
        """Wait for the end; gives all events."""
        async with asyncio.timeout(60):
            await self._done
        return self.seen

    def _read(self) -> None:
        for event in self.stream:
            self.seen.append(event)
            self._news.put(len(self.seen))


@pytest.fixture
async def proxy(stack: Stack) -> AsyncGenerator[Proxy]:
    """A network between the client and the gateway, which a test can break."""
    async with proxy_to(stack.port) as opened:
        yield opened


def client_of(stack: Stack, proxy: Proxy | None = None) -> Turnwire:
    """Connect as a user does."""
    url = stack.url if proxy is None else f"http://127.0.0.1:{proxy.port}/v1"
    return Turnwire(url, stack.key)


async def test_connections_that_are_cut_again_and_again_lose_no_event(
    api: Api, stack: Stack, backend: ScriptedBackend, proxy: Proxy
) -> None:
    backend.script(says(*WORDS).paused(after=10))
    with client_of(stack, proxy) as turnwire:
        reader = StreamReader(turnwire.responses.stream(asks("Talk.")))
        await backend.saw_pause()
        await reader.has_seen(4 + 10)
        for cut in range(2, 5):
            proxy.reset()
            async with asyncio.timeout(20):
                while proxy.accepted < cut:  # noqa: ASYNC110 -- the client sets no event
                    await asyncio.sleep(0.02)
        backend.release()
        events = await reader.to_the_end()
    assert [event["sequence_number"] for event in events] == [*range(len(events))]
    assert events[-1]["type"] == "response.completed"
    assert text_of(events[-1]["response"]) == "".join(WORDS)
    assert reader.stream.connections >= 4
    async with api.join(reader.stream.response_id) as again:
        assert await again.to_the_end() == events


async def test_a_stream_outlives_the_gateway_that_sent_it(
    fragile_stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says(*WORDS).paused(after=10))
    with client_of(fragile_stack) as turnwire:
        reader = StreamReader(turnwire.responses.stream(asks("Talk.", background=True)))
        await backend.saw_pause()
        await reader.has_seen(4 + 10)
        fragile_stack.kill("gateway")
        await asyncio.to_thread(fragile_stack.wait_until_back, "gateway")
        backend.release()
        events = await reader.to_the_end()
        assert [event["sequence_number"] for event in events] == [*range(len(events))]
        assert text_of(events[-1]["response"]) == "".join(WORDS)
        assert reader.stream.connections >= 2
        again = await asyncio.to_thread(
            lambda: [*turnwire.responses.resume(reader.stream.response_id, after=20)]
        )
        assert again == events[21:]


async def test_a_background_response_is_waited_for_and_its_log_followed(
    stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    with client_of(stack) as turnwire:
        create = turnwire.responses.create
        created = await asyncio.to_thread(create, asks("Hi.", background=True))
        await backend.saw_pause()
        follower = asyncio.create_task(
            asyncio.to_thread(lambda: [*turnwire.responses.follow(created["id"])])
        )
        waiting = asyncio.create_task(asyncio.to_thread(turnwire.responses.wait, created["id"]))
        backend.release()
        async with asyncio.timeout(60):
            found, logged = await waiting, await follower
        assert text_of(found) == "Hello."
        assert [each["type"] for each in logged] == ["requested", "started", "closed"]
        read = await asyncio.to_thread(lambda: [*turnwire.responses.events(created["id"])])
        assert read == logged
        items = await asyncio.to_thread(turnwire.responses.input_items, created["id"])
        assert [item["type"] for item in items] == ["message"]


async def test_a_plain_call_that_is_cut_off_joins_its_turn_and_runs_it_once(
    stack: Stack, backend: ScriptedBackend, proxy: Proxy
) -> None:
    backend.script(says("Once.").paused(after=1))
    with client_of(stack, proxy) as turnwire:
        asking = asyncio.create_task(asyncio.to_thread(turnwire.responses.create, asks("Hi.")))
        await backend.saw_pause()
        proxy.reset()
        async with asyncio.timeout(20):
            while proxy.accepted < 2:  # noqa: ASYNC110 -- the client sets no event
                await asyncio.sleep(0.02)
        backend.release()
        assert text_of(await asking) == "Once."
    assert len(backend.requests) == 1


async def test_a_key_that_is_refused_is_said_so(stack: Stack) -> None:
    with Turnwire(stack.url, "tw_wrong") as turnwire, pytest.raises(RefusedError) as raised:
        await asyncio.to_thread(turnwire.models)
    assert (raised.value.status, raised.value.code) == (401, "invalid_api_key")
