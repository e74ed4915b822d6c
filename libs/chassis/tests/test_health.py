"""Health over HTTP says which check fails, and why."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from nats.aio.client import Client

from turnwire_chassis.health import Check, Detail, HealthServer, broker_check
from turnwire_dev.claims.ports import LOOPBACK, choose
from turnwire_testing.waiting import eventually

WITHIN_S = 5.0


async def fine() -> str | None:
    """Find nothing wrong."""
    return None


async def broken() -> str | None:
    """Find something wrong."""
    return "it is broken"


@asynccontextmanager
async def served(
    folder: Path, checks: Mapping[str, Check], details: Mapping[str, Detail] | None = None
) -> AsyncGenerator[str]:
    """Serve health; yields the base URL."""
    port = choose(("health",), folder, taken=0)["health"]
    url = f"http://{LOOPBACK}:{port}"
    serving = asyncio.create_task(HealthServer(LOOPBACK, port, checks, details).run())

    async def answers() -> bool:
        try:
            await get(url, "/healthz")
        except aiohttp.ClientConnectionError:
            return False
        return True

    try:
        await eventually(answers)
        yield url
    finally:
        serving.cancel()
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(asyncio.CancelledError):
                await serving


async def get(url: str, path: str) -> tuple[int, dict[str, Any]]:
    """Ask; gives status and body."""
    async with aiohttp.ClientSession() as session, session.get(url + path) as response:
        return response.status, await response.json()


async def test_a_service_whose_checks_pass_is_healthy(tmp_path: Path) -> None:
    async with served(tmp_path, {"broker": fine}) as url:
        assert await get(url, "/healthz") == (200, {"status": "ok", "problems": {}})


async def test_a_check_that_fails_is_named_with_its_reason(tmp_path: Path) -> None:
    async with served(tmp_path, {"broker": fine, "store": broken}) as url:
        status, body = await get(url, "/healthz")
    assert (status, body) == (503, {"status": "error", "problems": {"store": "it is broken"}})


async def test_details_are_told_and_are_no_problem(tmp_path: Path) -> None:
    async with served(tmp_path, {"broker": fine}, {"policy": lambda: "version 1"}) as url:
        status, body = await get(url, "/healthz")
    assert (status, body["status"]) == (200, "ok")
    assert body["details"] == {"policy": "version 1"}


async def test_health_can_change(tmp_path: Path) -> None:
    problems: list[str] = []

    async def changing() -> str | None:
        return problems[0] if problems else None

    async with served(tmp_path, {"broker": changing}) as url:
        before, _ = await get(url, "/healthz")
        problems.append("gone")
        after, _ = await get(url, "/healthz")
    assert (before, after) == (200, 503)


async def test_nothing_else_is_served(tmp_path: Path) -> None:
    async with served(tmp_path, {}) as url:
        assert (await get(url, "/"))[0] == 404


async def test_the_broker_is_healthy_while_it_is_connected(client: Client) -> None:
    check = broker_check(client)
    assert await check() is None
    await client.close()
    assert await check() == "not connected to the broker"


async def test_port_zero_serves_nothing_and_still_ends_when_told() -> None:
    serving = asyncio.create_task(HealthServer(LOOPBACK, 0, {}).run())
    await asyncio.wait({serving}, timeout=0.05)
    assert not serving.done()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_metrics_are_told_on_the_same_port(tmp_path: Path) -> None:
    async with (
        served(tmp_path, {"something": broken}) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics") as answer,
    ):
        text = await answer.text()
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    assert "process_cpu_seconds_total" in text
