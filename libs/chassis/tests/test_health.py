"""The ops port: alive whenever the loop answers, ready when all it stands on is there."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from nats.aio.client import Client

from turnwire_chassis.lifecycle.health_server import HealthServer
from turnwire_chassis.lifecycle.lifecycle import Check, Detail, Finish, Lifecycle
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0


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
    """Serve the health of a service with these checks; yields the base URL."""
    lifecycle = Lifecycle()
    lifecycle.watch(checks, details=details)
    async with serving(folder, lifecycle) as url:
        yield url


@asynccontextmanager
async def serving(folder: Path, lifecycle: Lifecycle) -> AsyncGenerator[str]:
    """Serve what a lifecycle tells; yields the base URL."""
    port = choose(("health",), folder, taken=0)["health"]
    url = f"http://{LOOPBACK}:{port}"
    server = asyncio.create_task(HealthServer(LOOPBACK, port, lifecycle).run())

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
        server.cancel()
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(asyncio.CancelledError):
                await server


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
    lifecycle = Lifecycle()
    lifecycle.watch_broker(client)
    assert await lifecycle.unready() == {}
    await client.close()
    assert await lifecycle.unready() == {"broker": "not connected to the broker"}


async def test_port_zero_serves_nothing_and_still_ends_when_told() -> None:
    server = asyncio.create_task(HealthServer(LOOPBACK, 0, Lifecycle()).run())
    await asyncio.wait({server}, timeout=0.05)
    assert not server.done()
    server.cancel()
    with pytest.raises(asyncio.CancelledError):
        await server


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


async def test_a_service_that_waits_for_its_peers_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with serving(tmp_path, Lifecycle()) as url:
        assert (await get(url, "/livez"))[0] == 200
        for path in ("/readyz", "/healthz"):
            status, body = await get(url, path)
            assert (status, body["problems"]) == (503, {"service": "starting: not connected yet"})


async def test_what_a_service_stands_on_decides_readiness_and_never_liveness(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, {"broker": broken}) as url:
        assert (await get(url, "/livez"))[0] == 200
        assert (await get(url, "/readyz"))[0] == 503


async def test_a_warning_makes_unwell_and_keeps_nobody_from_work(tmp_path: Path) -> None:
    lifecycle = Lifecycle()
    lifecycle.watch({"broker": fine}, warnings={"broker_rights": broken})
    async with serving(tmp_path, lifecycle) as url:
        assert (await get(url, "/readyz"))[0] == 200
        status, body = await get(url, "/healthz")
    assert (status, body["problems"]) == (503, {"broker_rights": "it is broken"})


async def test_a_service_that_drains_is_not_ready_and_finishes_what_it_has() -> None:
    lifecycle, finished = Lifecycle(), asyncio.Event()
    lifecycle.watch({"broker": fine})
    lifecycle.on_drain(_until(finished))
    draining = asyncio.create_task(lifecycle.drain(WITHIN_S))
    await asyncio.wait({draining}, timeout=0.05)
    assert not draining.done()
    assert await lifecycle.unready() == {"service": "draining"}
    finished.set()
    await draining


async def test_a_drain_ends_when_its_time_is_over() -> None:
    lifecycle = Lifecycle()
    lifecycle.on_drain(_until(asyncio.Event()))
    async with asyncio.timeout(WITHIN_S):
        await lifecycle.drain(0.05)


def _until(event: asyncio.Event) -> Finish:
    async def finish() -> None:
        await event.wait()

    return finish
