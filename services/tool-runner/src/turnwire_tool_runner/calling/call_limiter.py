"""Which calls may go to a server now: limits by server and tenant, and a circuit breaker.

A breaker belongs to a server as one tenant sees it: no tenant can shut a server for another.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from turnwire_chassis.circuit_breaker import Breaker, BreakerRules
from turnwire_chassis.concurrency import ConcurrencyLimit, FullError, KeyedConcurrencyLimit
from turnwire_contracts.ids import TenantId
from turnwire_tool_runner.tool_servers import TenantServer, ToolServerError

_FAILURES = {"mcp_timeout", "mcp_unreachable"}
_MOST_BREAKERS = 4096

_Key = tuple[TenantId, str]


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How many calls and lists may run at once."""

    in_all: int
    """With those that wait; one more is refused at once, and may find another runner."""
    per_server: int
    """As many more may wait."""
    per_tenant: int
    """As many more may wait."""
    breaker: BreakerRules


class CallLimiter:
    """Admits calls and lists within the limits."""

    def __init__(self, rules: CallLimits) -> None:
        self._all = ConcurrencyLimit(rules.in_all, 0)
        self._tenants = KeyedConcurrencyLimit(rules.per_tenant, rules.per_tenant)
        self._servers = KeyedConcurrencyLimit(rules.per_server, rules.per_server)
        self._rules = rules.breaker
        # Only those of servers that failed; the oldest go first.
        self._breakers: OrderedDict[_Key, Breaker] = OrderedDict()

    @asynccontextmanager
    async def admitted(self, visit: TenantServer, timeout_s: float) -> AsyncGenerator[None]:
        """Wait for a place, `timeout_s` at most, and note for the breaker how the call ends.

        Raises `ToolServerError`: `tool_busy`, or `mcp_unreachable` when the breaker is open.
        """
        key = (visit.tenant, visit.target.url)
        self._refuse_if_open(key)
        waiting = asyncio.timeout(timeout_s)
        try:
            async with (
                waiting,
                self._all.slot(),
                self._tenants.slot(visit.tenant),
                self._servers.slot(visit.target.url),
            ):
                waiting.reschedule(None)
                self._refuse_if_open(key)
                self._pass(key)
                async with self._noted(key):
                    yield
        except FullError as error:
            raise _busy("Too many calls wait already.") from error
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise _busy(f"No place was free within {timeout_s:g} s.") from error

    @asynccontextmanager
    async def _noted(self, key: _Key) -> AsyncGenerator[None]:
        try:
            yield
        except ToolServerError as error:
            if error.code in _FAILURES:
                self._fail(key)
            elif error.code != "cancelled":
                self._breakers.pop(key, None)
            raise
        self._breakers.pop(key, None)

    def _refuse_if_open(self, key: _Key) -> None:
        breaker = self._breakers.get(key)
        if breaker is not None and breaker.is_open(_now()):
            text = "It failed several times in a row and is left alone for a while."
            raise ToolServerError("mcp_unreachable", text, unsent=True)

    def _pass(self, key: _Key) -> None:
        if key in self._breakers:
            self._breakers[key] = self._breakers[key].passed(_now())

    def _fail(self, key: _Key) -> None:
        breaker = self._breakers.pop(key, Breaker(self._rules))
        self._breakers[key] = breaker.failed(_now())
        if len(self._breakers) > _MOST_BREAKERS:
            self._breakers.popitem(last=False)


def _busy(text: str) -> ToolServerError:
    return ToolServerError("tool_busy", text, unsent=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
