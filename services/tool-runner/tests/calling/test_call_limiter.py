"""Who may visit a server, and who is told at once that there is no place."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from turnwire_chassis.circuit_breaker import BreakerRules
from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.calling.call_limiter import CallLimiter, CallLimits
from turnwire_tool_runner.tool_servers import Code, Target, TenantServer, ToolServerError

WITHIN_S = 30.0
RULES = CallLimits(in_all=10, per_server=2, per_tenant=3, breaker=BreakerRules(2, 0.2))


def visit(tenant: str = "a", url: str = "https://one/mcp") -> TenantServer:
    return TenantServer(TenantId(tenant), Target(url))


@asynccontextmanager
async def inside(call_limiter: CallLimiter, *visits: TenantServer) -> AsyncGenerator[None]:
    """Have these visits go on."""
    async with AsyncExitStack() as stack:
        for each in visits:
            await stack.enter_async_context(call_limiter.admitted(each, WITHIN_S))
        yield


async def code_of(call_limiter: CallLimiter, who: TenantServer, timeout_s: float = 0.01) -> str:
    with pytest.raises(ToolServerError) as caught:
        async with call_limiter.admitted(who, timeout_s):
            pass
    assert caught.value.unsent
    return caught.value.code


async def fail(call_limiter: CallLimiter, who: TenantServer, code: Code) -> None:
    with pytest.raises(ToolServerError):
        async with call_limiter.admitted(who, WITHIN_S):
            raise ToolServerError(code, "No.")


async def test_a_server_has_so_many_at_once_from_all_tenants_together() -> None:
    call_limiter = CallLimiter(RULES)

    async with inside(call_limiter, visit("a"), visit("b")):
        assert await code_of(call_limiter, visit("c")) == "tool_busy"
        async with inside(call_limiter, visit("c", "https://two/mcp")):
            pass


async def test_a_tenant_has_so_many_at_once_at_all_servers_together() -> None:
    call_limiter = CallLimiter(RULES)
    three = [visit("a", f"https://{n}/mcp") for n in range(3)]

    async with inside(call_limiter, *three):
        assert await code_of(call_limiter, visit("a", "https://four/mcp")) == "tool_busy"
        async with inside(call_limiter, visit("b", "https://four/mcp")):
            pass


async def test_whoever_waits_comes_in_when_a_place_is_free() -> None:
    call_limiter = CallLimiter(RULES)

    async with inside(call_limiter, visit("a"), visit("b")):
        waiting = asyncio.create_task(inside(call_limiter, visit("c")).__aenter__())
        await asyncio.sleep(0)
    async with asyncio.timeout(WITHIN_S):
        await waiting


async def test_more_than_may_wait_are_turned_away_at_once() -> None:
    call_limiter = CallLimiter(RULES)

    async with inside(call_limiter, visit("a"), visit("b")):
        waiting = [
            asyncio.create_task(inside(call_limiter, visit(tenant)).__aenter__())
            for tenant in ("c", "d")
        ]
        await asyncio.sleep(0)
        assert await code_of(call_limiter, visit("e"), timeout_s=1e9) == "tool_busy"
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_runner_that_is_full_says_so_at_once() -> None:
    call_limiter = CallLimiter(
        CallLimits(in_all=1, per_server=2, per_tenant=2, breaker=RULES.breaker)
    )

    async with inside(call_limiter, visit("a")):
        assert (
            await code_of(call_limiter, visit("b", "https://two/mcp"), timeout_s=1e9) == "tool_busy"
        )


@pytest.mark.parametrize("code", ["mcp_unreachable", "mcp_timeout"])
async def test_a_server_that_fails_again_and_again_is_left_alone_for_a_while(code: Code) -> None:
    call_limiter = CallLimiter(RULES)

    for _ in range(2):
        await fail(call_limiter, visit(), code)

    assert await code_of(call_limiter, visit()) == "mcp_unreachable"
    async with inside(call_limiter, visit(url="https://two/mcp")):
        pass


async def test_no_tenant_can_shut_a_server_for_another() -> None:
    call_limiter = CallLimiter(RULES)

    for _ in range(2):
        await fail(call_limiter, visit("a"), "mcp_timeout")

    async with inside(call_limiter, visit("b")):
        pass


async def test_after_a_while_one_may_try_and_success_lets_all_in() -> None:
    call_limiter = CallLimiter(RULES)
    for _ in range(2):
        await fail(call_limiter, visit(), "mcp_unreachable")

    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                async with call_limiter.admitted(visit(), WITHIN_S):
                    assert await code_of(call_limiter, visit()) == "mcp_unreachable"
                break
            except ToolServerError:
                await asyncio.sleep(0.01)

    async with inside(call_limiter, visit(), visit()):
        pass


@pytest.mark.parametrize("code", ["mcp_http_error", "mcp_protocol_error"])
async def test_an_answer_of_whatever_kind_is_no_failure_of_the_server(code: Code) -> None:
    call_limiter = CallLimiter(RULES)

    await fail(call_limiter, visit(), "mcp_timeout")
    await fail(call_limiter, visit(), code)
    await fail(call_limiter, visit(), "mcp_timeout")

    async with inside(call_limiter, visit()):
        pass


async def test_whoever_gives_up_says_nothing_about_the_server() -> None:
    call_limiter = CallLimiter(RULES)

    await fail(call_limiter, visit(), "mcp_timeout")
    await fail(call_limiter, visit(), "cancelled")
    await fail(call_limiter, visit(), "mcp_timeout")

    assert await code_of(call_limiter, visit()) == "mcp_unreachable"
