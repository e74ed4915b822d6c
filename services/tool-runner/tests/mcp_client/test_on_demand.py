"""Servers that are made when the first of them is asked."""

import asyncio
from threading import Event

import pytest

from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.mcp_client.on_demand import ToolServersOnDemand
from turnwire_tool_runner.tool_servers import (
    CallObserver,
    Listing,
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
)

VISIT = TenantServer(TenantId("t"), Target("http://127.0.0.1:9/mcp"))


class Counted:
    """Servers that count what becomes of them; `begin` lets them be made."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = 0
        self.begin = Event()

    def make(self) -> "Counted":
        assert self.begin.wait(30)
        self.made += 1
        return self

    async def prepare(self) -> None:
        raise NotImplementedError

    async def list_tools(self, visit: TenantServer) -> Listing:
        assert visit is VISIT
        return Listing([])

    async def call(
        self, visit: TenantServer, call: ToolCallRequest, observer: CallObserver
    ) -> ToolOutcome:
        raise NotImplementedError((visit, call, observer))

    async def aclose(self) -> None:
        self.closed += 1


async def test_they_are_made_once_for_all_who_ask_and_closed() -> None:
    counted = Counted()
    servers = ToolServersOnDemand(counted.make)
    asking = [asyncio.create_task(servers.list_tools(VISIT)) for _ in range(3)]
    await asyncio.sleep(0)
    counted.begin.set()
    assert await asyncio.gather(*asking) == [Listing([])] * 3
    await servers.aclose()
    assert (counted.made, counted.closed) == (1, 1)


async def test_they_can_be_made_before_any_is_asked() -> None:
    counted = Counted()
    counted.begin.set()
    servers = ToolServersOnDemand(counted.make)
    await servers.prepare()
    assert counted.made == 1
    assert await servers.list_tools(VISIT) == Listing([])
    assert counted.made == 1


async def test_an_asker_that_gives_up_does_not_keep_others_from_them() -> None:
    counted = Counted()
    servers = ToolServersOnDemand(counted.make)
    first, second = (asyncio.create_task(servers.list_tools(VISIT)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    counted.begin.set()
    assert await second == Listing([])


async def test_nothing_is_made_to_be_closed() -> None:
    counted = Counted()
    await ToolServersOnDemand(counted.make).aclose()
    assert (counted.made, counted.closed) == (0, 0)
