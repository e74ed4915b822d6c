"""Gateways with limits: each in this process, on its own connection, all on one broker."""

import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import nats
from nats.aio.client import Client

from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts.ids import TenantId
from turnwire_gateway.limits.allowances import Allowance, Allowances
from turnwire_gateway.limits.bucket_limit_states import BucketLimitStates
from turnwire_gateway.limits.limiter import SPAN_MS, Limiter
from turnwire_testing.asgi import Exchange
from turnwire_testing.gateway import Api


class Gateways:
    """Several gateways, and a tenant of this test's own."""

    def __init__(self, allowances: Allowances, span_ms: int) -> None:
        """What `allowances` say holds at every gateway."""
        self.tenant = TenantId(f"t{uuid.uuid4().hex}")
        self.authorization = f"{self.tenant}/ada"
        self.apis: list[Api] = []
        self._allowances = allowances
        self._span_ms = span_ms

    async def add(self, client: Client, now_ms: Callable[[], int] | None = None) -> Api:
        """Start one more; its clock is the test's unless `now_ms` is another."""
        await declare(client, 1)
        limit_states = BucketLimitStates(client)

        def limiter(clock: Callable[[], int]) -> Limiter:
            name = uuid.uuid4().hex
            return Limiter(
                self._allowances, limit_states, name, now_ms or clock, span_ms=self._span_ms
            )

        api = await Api(client, limiter=limiter).with_store()
        self.apis.append(api)
        return api

    def later(self, milliseconds: int) -> None:
        """Let time pass at every gateway."""
        for api in self.apis:
            api.now += milliseconds

    async def ask(self, at: int = 0, who: str = "", **fields: Any) -> Exchange:
        """Ask a gateway for a response, as the tenant's user or as `who` of the tenant."""
        authorization = f"{self.tenant}/{who}" if who else self.authorization
        body = {"model": "m", "input": "Hello?", **fields}
        return await self.apis[at].call("POST", "/v1/responses", body, authorization=authorization)


@asynccontextmanager
async def limited_gateways(
    nats_url: str,
    tenant: Allowance,
    *,
    keys: Mapping[str, Allowance] | None = None,
    gateways: int = 2,
    span_ms: int = SPAN_MS,
) -> AsyncGenerator[Gateways]:
    """Start gateways on which every tenant may do so much, and these keys."""
    made = Gateways(Allowances(tenant, keys=keys or {}), span_ms)
    async with AsyncExitStack() as stack:
        for _ in range(gateways):
            client = await nats.connect(nats_url)
            stack.push_async_callback(client.close)
            await made.add(client)
        yield made


def statuses(exchanges: Iterable[Exchange]) -> Counter[int]:
    """Count the statuses of answers."""
    return Counter(exchange.status for exchange in exchanges)
