"""Several servers of one model: who is asked, and what becomes of a turn when one of them fails."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from scripted_backend import (
    Answer,
    ScriptedBackend,
    calls,
    fails,
    fails_plainly,
    never_answers,
    running_backend,
    says,
    sends_events,
    sends_http,
)
from turnwire_contracts.events import Requested, Sampled
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.inference.pool.server_health import BREAKER
from turnwire_orchestrator.prompting.dialect import Api
from turnwire_orchestrator.servers import Server
from turnwire_testing.orchestration import World
from turnwire_testing.prompts import prompt
from turnwire_testing.tool_turns import LOOK, mcp

TIMEOUTS = Timeouts(connect_s=5.0, idle_s=0.5)
NAMES = ("one", "two", "spare")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class Pool:
    """Three servers of the same model, the last of them a backup; one orchestrator's world."""

    def __init__(self, servers: dict[str, ScriptedBackend], api: Api) -> None:
        self.servers = servers
        self.backends = Backends(
            [
                HttpBackend(
                    Server(name, server.url, None, api, ("m",), backup=name == "spare"), TIMEOUTS
                )
                for name, server in servers.items()
            ]
        )
        self.world = World(asks=self.backends)
        self._turns = 0

    def always(self, answer: Answer, *names: str) -> None:
        """Let these servers answer so."""
        for name in names or NAMES:
            self.servers[name].always(answer)

    def asked(self) -> list[int]:
        """Count what each server was asked."""
        return [len(server.requests) for server in self.servers.values()]

    async def turn(self, **changes: object) -> Requested:
        """Drive a turn to its end."""
        self._turns += 1
        changes.setdefault("response_id", f"resp_{self._turns:032x}")
        request = await self.world.request(**changes)
        await self.world.run(request)
        return request

    async def server_of(self, request: Requested) -> str | None:
        """Tell who answered."""
        return (await self.world.closed(request)).closed.server


@pytest.fixture(params=[Api.RESPONSES, Api.CHAT])
async def pool(request: pytest.FixtureRequest) -> AsyncGenerator[Pool]:
    async with AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(running_backend()) for name in NAMES}
        opened = Pool(servers, request.param)
        stack.push_async_callback(opened.backends.close)
        yield opened


def error_event(code: str = "server_error") -> Answer:
    """A stream that begins, and ends with an error before anything is said."""
    return sends_events({"type": "error", "error": {"code": code, "message": "No luck."}})


@pytest.mark.parametrize(
    "failing",
    [
        fails(500),
        fails(503, headers={"Retry-After": "7"}),
        fails(429),
        fails(401),
        fails(404, error={"code": "model_not_found"}),
        fails_plainly(502, b"<html>Bad gateway</html>"),
        never_answers(),
        never_answers(headers=True),
        error_event(),
        sends_http(HEAD),
    ],
    ids=[
        *("500", "503", "429", "401", "404", "502 of a proxy", "silent", "silent after its head"),
        *("an error in the stream", "a stream of nothing"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_turn_does_not_notice_that_a_server_fails_before_it_says_anything(
    pool: Pool, failing: Answer, *, stream: bool
) -> None:
    pool.always(failing, "one", "two")
    request = await pool.turn(stream=stream)
    turn = await pool.world.closed(request)
    assert (turn.closed.status, turn.closed.server) == ("completed", "spare")
    assert pool.asked() == [1, 1, 1]


async def test_a_server_that_is_not_there_is_replaced(pool: Pool) -> None:
    await pool.servers["one"].stop()
    await pool.servers["two"].stop()
    assert await pool.server_of(await pool.turn()) == "spare"


@pytest.mark.parametrize("answer", [fails(400), fails(413), fails(422)], ids=str)
async def test_what_is_wrong_with_the_request_is_wrong_everywhere(
    pool: Pool, answer: Answer
) -> None:
    pool.always(answer)
    request = await pool.turn()
    assert (await pool.world.closed(request)).closed.status == "failed"
    assert sum(pool.asked()) == 1


async def test_when_all_fail_the_client_is_told_what_the_last_one_said(pool: Pool) -> None:
    pool.always(fails(500, "first"), "one", "two")
    pool.always(fails(503, "the last"), "spare")
    failure = (await pool.world.closed(await pool.turn())).closed.failure
    assert failure is not None
    assert (failure.http_status, "the last" in failure.message) == (503, True)
    assert pool.asked() == [1, 1, 1]


async def test_what_was_said_is_never_said_anew_by_another(pool: Pool) -> None:
    pool.always(says("Hel", "lo").cut(after=1))
    turn = await pool.world.closed(await pool.turn(stream=True))
    assert turn.closed.status == "failed"
    assert turn.output[0]["content"][0]["text"] == "Hel"
    assert sum(pool.asked()) == 1


async def test_a_conversation_stays_where_its_prompt_may_be_cached(pool: Pool) -> None:
    first = await pool.turn()
    server = await pool.server_of(first)
    previous = first.response_id
    for _ in range(6):
        request = await pool.turn(previous_response_id=previous)
        assert await pool.server_of(request) == server
        previous = request.response_id


async def test_a_turns_rounds_of_tools_stay_at_one_server(pool: Pool) -> None:
    pool.world.tools.offers = {"shop": [LOOK]}
    for server in pool.servers.values():
        for n in range(4):
            server.script(calls("look", {"n": n}))
    request = await pool.turn(params={"tools": [mcp()]})
    events = await pool.world.events(request)
    servers = {each.server for each in events if isinstance(each, Sampled)}
    assert servers == {await pool.server_of(request)}
    assert sorted(pool.asked()) == [0, 0, 5]


async def test_turns_side_by_side_are_spread_and_the_backup_is_spared(pool: Pool) -> None:
    pool.always(says("Hi").paused(after=0))
    running = [asyncio.create_task(pool.turn()) for _ in range(8)]
    for name in ("one", "two"):
        await pool.servers[name].saw_pause(count=4)
    assert pool.asked() == [4, 4, 0]
    for name in ("one", "two"):
        pool.servers[name].release()
    await asyncio.gather(*running)


async def test_a_server_that_fails_in_a_row_is_not_asked_for_a_while(pool: Pool) -> None:
    pool.always(fails(500), "one")
    for _ in range(20):
        assert await pool.server_of(await pool.turn()) == "two"
    assert pool.asked()[0] <= BREAKER.failures


async def test_a_server_that_says_when_is_left_alone_until_then(pool: Pool) -> None:
    pool.always(fails(429, headers={"Retry-After": "30"}), "one")
    while not pool.servers["one"].requests:
        await pool.turn()
    for _ in range(10):
        assert await pool.server_of(await pool.turn()) == "two"
    assert pool.asked()[0] == 1


async def test_when_all_have_said_when_clients_are_told_and_nobody_is_asked(pool: Pool) -> None:
    pool.always(fails(429, "Slower.", headers={"Retry-After": "30"}))
    told = (await pool.world.closed(await pool.turn())).closed.failure
    assert told is not None
    assert "Slower." in told.message
    again = (await pool.world.closed(await pool.turn())).closed.failure
    assert again is not None
    assert again.http_status == 429
    assert again.retry_after_s in (29, 30)
    assert pool.asked() == [1, 1, 1]


async def test_tokens_are_counted_where_that_can_be_done(pool: Pool) -> None:
    await pool.servers["one"].stop()
    await pool.servers["two"].stop()
    counted = await pool.backends.input_tokens(prompt(model="m"))
    assert counted.input_tokens > 0
