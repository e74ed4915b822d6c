"""`/v1/admin/limits`: what tenants and keys may use, and what of it they use now."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.key_acts import KeyRecords
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_contracts.ids import TenantId
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.admin.tenants import tenants_seen
from turnwire_gateway.api.request_context import answered
from turnwire_gateway.errors import unavailable
from turnwire_gateway.limits.allowances import TENANT, Allowances
from turnwire_gateway.limits.limit_state import Clock, LimitState, current, running
from turnwire_gateway.limits.limit_states import LimitStatesUnavailableError
from turnwire_gateway.limits.limiter import SPAN_MS, Limiter
from turnwire_gateway.limits.window import total


class LimitPorts(Struct, frozen=True):
    """What the route of limits stands on."""

    limiter: Limiter
    keys: KeyRecords
    now_ms: Callable[[], int]


class LimitHandlers:
    """The route of limits."""

    def __init__(self, ports: LimitPorts) -> None:
        self._ports = ports

    async def list_limits(self, request: Request) -> Response:
        """`GET /v1/admin/limits`: a row for a tenant, and for each key with limits of its own.

        An operator who names no tenant is shown all that have keys or stand in the file.
        """
        tenant = tenants_seen(request, "see limits")
        allowances = self._ports.limiter.allowances
        owners = await self._owners()
        tenants = {tenant} if tenant else {*owners.values(), *map(TenantId, allowances.tenants)}
        rows: list[JSON] = []
        for each in sorted(tenants):
            keys = [key for key in allowances.keys if owners.get(key) == each]
            rows += await self._rows(allowances, each, keys)
        return answered({"object": "list", "data": rows})

    async def _owners(self) -> Mapping[str, TenantId]:
        """Tell whose each key is."""
        try:
            entries = await self._ports.keys.read()
        except LogUnavailableError as error:
            raise unavailable("event_log_unavailable") from error
        return {each.key_id: each.record.holder.tenant for each in entries if each.record}

    async def _rows(
        self, allowances: Allowances, tenant: TenantId, keys: Iterable[str]
    ) -> list[JSON]:
        try:
            stored = await self._ports.limiter.limit_states.read(tenant)
        except LimitStatesUnavailableError as error:
            raise unavailable("rate_limiter_unavailable") from error
        state = current(stored.limit_state, Clock(self._ports.now_ms(), SPAN_MS))
        accounts = [TENANT, *(f"key:{key}" for key in keys)]
        return [_row(allowances, tenant, account, state) for account in accounts]


def _row(allowances: Allowances, tenant: TenantId, account: str, state: LimitState) -> JSON:
    used = state.used.get(account)
    return {
        "object": "admin.limits",
        "tenant": tenant,
        "key": None if account == TENANT else account.removeprefix("key:"),
        "limits": msgspec.to_builtins(allowances.account(tenant, account).allowance),
        "used": {
            "requests_in_last_minute": total(used.requests) if used else 0,
            "tokens_in_last_minute": total(used.tokens) if used else 0,
            "turns": running(state, "turns", account),
            "streams": running(state, "streams", account),
        },
    }
