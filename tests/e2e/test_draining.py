"""A gateway that is told to end: readers of its streams go on at another one, byte for byte."""

import asyncio

import aiohttp

from e2e.rig.conversation import asks
from e2e.rig.gateway import Gateway, gateway_process
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, payload
from scripted_backend import ScriptedBackend, says
from turnwire_testing.stream_grammar import check_stream

STREAMS = 100
WORDS = [f"wört{number} 👋 " for number in range(30)]
ENDS_WITHIN_S = 40.0
CODE_OF_SIGTERM_HANDLED = 0


async def test_a_hundred_streams_of_a_gateway_that_stops_go_on_at_another(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(*(says(*WORDS).paused(after=10) for _ in range(STREAMS)))
    with gateway_process(stack) as gateway:
        leaving = api.under(gateway.url)
        begun = asyncio.Barrier(STREAMS + 1)
        reading = [asyncio.create_task(_resumed(leaving, api, begun)) for _ in range(STREAMS)]
        await begun.wait()
        gateway.process.terminate()
        await begun.wait()
        # Some have joined the other gateway by now, some have not.
        backend.release()
        streams = await asyncio.gather(*reading)
        assert await gateway.process.ended(ENDS_WITHIN_S) == CODE_OF_SIGTERM_HANDLED
    for response_id, frames in streams:
        async with api.join(response_id) as whole:
            check_stream(await whole.to_the_end())
        assert frames == whole.frames
        assert whole.events[-1]["response"]["status"] == "completed"


async def _resumed(leaving: Api, other: Api, begun: asyncio.Barrier) -> tuple[str, list[bytes]]:
    """Read a stream until its gateway ends it, then the rest elsewhere."""
    async with leaving.stream(asks("Hi.")) as cut:
        created = await cut.until("response.created")
        await cut.until("response.output_text.delta", 10)
        await begun.wait()
        await cut.to_the_end()
    assert not cut.done
    stopped = payload(cut.frames.pop())
    assert (stopped["type"], stopped["code"]) == ("error", "gateway_stopping")
    assert stopped["sequence_number"] == len(cut.frames) - 1
    response_id: str = created["response"]["id"]
    await begun.wait()
    async with other.join(response_id, after=len(cut.frames) - 1) as rest:
        await rest.to_the_end()
    assert rest.done
    return response_id, [*cut.frames, *rest.frames]


async def test_a_gateway_that_drains_takes_no_more_and_finishes_what_it_has(
    api: Api, stack: Stack, backend: ScriptedBackend, session: aiohttp.ClientSession
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1), says("Plain.").paused(after=1))
    with gateway_process(stack, drain_s="30") as gateway:
        draining = api.under(gateway.url)
        async with draining.stream(asks("Hi.")) as stream:
            await stream.until("response.output_text.delta")
            plain = asyncio.create_task(draining.post(asks("And you?")))
            await backend.saw_pause(count=2)
            gateway.process.terminate()
            assert await _ready(session, gateway, 503) == {"service": "draining"}
            async with session.get(f"{gateway.ops_url}/livez") as alive:
                assert alive.status == 200
            await _refuses_connections(gateway)
            backend.release()
            check_stream(await stream.to_the_end())
            assert stream.done
            assert (await plain)[0] == 200
        assert await gateway.process.ended(ENDS_WITHIN_S) == CODE_OF_SIGTERM_HANDLED


async def test_who_waits_for_an_answer_of_a_gateway_that_stops_is_told_where_it_will_be(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    with gateway_process(stack) as gateway:
        plain = asyncio.create_task(_answer(api.under(gateway.url)))
        await backend.saw_pause()
        gateway.process.terminate()
        status, retry, body = await plain
        backend.release()
    assert (status, retry, body["error"]["code"]) == (503, "false", "gateway_stopping")
    response_id = body["error"]["message"].rstrip(".").split()[-1]
    ended = await api.ended(response_id)
    assert ended["status"] == "completed"


async def test_the_turn_of_a_reader_that_never_comes_back_ends_after_its_grace(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    with gateway_process(stack, drain_s="0.2", stream_grace_s="0.5") as gateway:
        async with api.under(gateway.url).stream(asks("Hi.")) as stream:
            created = await stream.until("response.created")
            await stream.until("response.output_text.delta")
            gateway.process.terminate()
            await stream.to_the_end()
        assert not stream.done
        assert await gateway.process.ended(ENDS_WITHIN_S) == CODE_OF_SIGTERM_HANDLED
    assert (await api.ended(created["response"]["id"]))["status"] == "cancelled"


async def _answer(api: Api) -> tuple[int, str | None, JSON]:
    async with api.answer(asks("Hi.")) as response:
        return response.status, response.headers.get("x-should-retry"), await response.json()


async def _ready(session: aiohttp.ClientSession, gateway: Gateway, status: int) -> JSON:
    """Wait until readiness is what it should be; gives its reasons."""
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            async with session.get(f"{gateway.ops_url}/readyz") as answer:
                if answer.status == status:
                    return (await answer.json())["problems"]
            await asyncio.sleep(0.02)


async def _refuses_connections(gateway: Gateway) -> None:
    port = int(gateway.url.split(":")[2].partition("/")[0])
    async with asyncio.timeout(ENDS_WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.02)
