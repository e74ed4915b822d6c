"""What clients make of limits: OpenAI's SDK waits and comes again, a WebSocket hears an error."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import nats
import pytest
from openai import AsyncOpenAI, RateLimitError

from turnwire_gateway.limits.allowances import Allowance, Allowances
from turnwire_testing.gateway import Api
from turnwire_testing.limited import Gateways
from turnwire_testing.listening import listening
from turnwire_testing.sockets import connected

SHORT_MS = 5_000
"""A "minute" that a test can wait for."""


@asynccontextmanager
async def served(nats_url: str, allowance: Allowance) -> AsyncGenerator[tuple[str, Gateways]]:
    """Serve one gateway with limits on a real socket, by the real clock."""
    gateways = Gateways(Allowances(allowance), SHORT_MS)
    client = await nats.connect(nats_url)
    try:
        api: Api = await gateways.add(client, lambda: time.time_ns() // 1_000_000)
        async with listening(api.app) as url:
            yield url, gateways
    finally:
        await client.close()


def sdk(url: str, gateways: Gateways, retries: int) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key=gateways.authorization, max_retries=retries)


async def test_openais_sdk_waits_as_long_as_it_is_told_and_then_succeeds(nats_url: str) -> None:
    async with served(nats_url, Allowance(requests_per_minute=1)) as (url, gateways):
        async with sdk(url, gateways, retries=1) as client:
            await client.responses.create(model="m", input="Hello?")
            began = time.monotonic()
            raw = await client.responses.with_raw_response.create(model="m", input="Hello?")
            assert raw.retries_taken == 1
            assert raw.headers["x-ratelimit-remaining-requests"] == "0"
            assert time.monotonic() - began >= 0.9
        assert len(gateways.apis[0].log.requests) == 2


async def test_openais_sdk_raises_its_error_for_rates(nats_url: str) -> None:
    async with served(nats_url, Allowance(requests_per_minute=1)) as (url, gateways):
        async with sdk(url, gateways, retries=0) as client:
            await client.responses.create(model="m", input="Hello?")
            with pytest.raises(RateLimitError) as raised:
                await client.responses.create(model="m", input="Hello?")
        assert raised.value.code == "rate_limit_exceeded"
        assert 1 <= int(raised.value.response.headers["retry-after"]) <= SHORT_MS / 1000


async def test_creates_on_a_websocket_count_and_are_refused_one_by_one(nats_url: str) -> None:
    async with served(nats_url, Allowance(requests_per_minute=2, max_items=1)) as (url, gateways):
        who = {"Authorization": gateways.authorization}
        async with connected(url, who) as socket:
            for _ in range(2):
                await socket.response(model="m", input="Hello?")
            error = await socket.error(model="m", input="Hello?")
            assert (error["status"], error["error"]["code"]) == (429, "rate_limit_exceeded")
            items = [{"role": "user", "content": "Hello?"}] * 2
            error = await socket.error(model="m", input=items)
            assert (error["status"], error["error"]["param"]) == (400, "input")
        assert len(gateways.apis[0].log.requests) == 2
