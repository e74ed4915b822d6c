"""One request and what it was let in with: given back when it ends, however it ends."""

from typing import NoReturn

from msgspec.structs import replace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from turnwire_chassis.telemetry.metrics import LIMIT_REFUSALS
from turnwire_contracts.events import Requested
from turnwire_gateway.identity import Caller
from turnwire_gateway.limiting.counting.ledger import Refused, Standing, Want
from turnwire_gateway.limiting.limiter import Limiter
from turnwire_gateway.limiting.sizes import sizes_of
from turnwire_gateway.limiting.telling import Header, headers, too_many

_SLACK_MS = 60_000
"""Clocks differ, and a turn's last moments take time too."""


class Visit:
    """A caller's way in and out."""

    def __init__(self, limiter: Limiter, caller: Caller, background_ms: int) -> None:
        """Nothing is counted yet; a background turn ends within `background_ms`."""
        self._limiter = limiter
        self._tenant = caller.tenant
        self._accounts = limiter.accounts(caller)
        self._background_ms = background_ms
        self._taken: list[Want] = []
        self._held: str | None = None
        self.sizes = sizes_of(self._accounts)
        self.headers: list[Header] = []
        """What the answer says of the caller's limits."""

    def knock(self) -> None:
        """Raise `ApiError` (429) if it is certain that no request can be let in; costs nothing."""
        want = Want(self._accounts, requests=1)
        if self._counts(want) and (refused := self._limiter.refuse(self._tenant, want)):
            self._refuse(refused)

    async def ask(self) -> None:
        """Let in a request that makes no turn; raises `ApiError` (429, 503)."""
        await self._take(Want(self._accounts, requests=1))

    async def create(self, request: Requested, *, known: bool = False) -> Requested:
        """Let in a turn, and give it as it is to be appended; raises `ApiError` (429, 503).

        One that is `known` runs already, or has run: only the request counts, and its stream.
        """
        background = request.response_id if request.background and not known else None
        until = request.at + self._background_ms + _SLACK_MS
        want = Want(
            self._accounts,
            requests=1,
            turns=0 if known else 1,
            streams=1 if request.stream else 0,
            background=background,
            until=until,
        )
        await self._take(want)
        return request if known else replace(request, metered=self._metered(background))

    async def watch(self) -> None:
        """Let in a reader of a stream; raises `ApiError` (429, 503)."""
        await self._take(Want(self._accounts, streams=1))

    def keep(self) -> None:
        """Leave a background turn held: it was requested, and its end sets it free."""
        self._held = None

    def leave(self) -> None:
        """Give back everything."""
        for want in self._taken:
            self._limiter.give_back(self._tenant, want)
        self._taken = []
        if self._held is not None:
            self._limiter.unhold(self._tenant, self._held)
            self._held = None

    async def _take(self, want: Want) -> None:
        want = self._limited(want)
        if not self._counts(want):
            return
        verdict = await self._limiter.take(self._tenant, want)
        if isinstance(verdict, Refused):
            self._refuse(verdict)
        self._taken.append(want)
        self._held = want.background
        self._stands(verdict)

    def _limited(self, want: Want) -> Want:
        """Leave out what no account limits: it need not be counted."""
        allowances = [account.allowance for account in self._accounts]
        turns = any(each.concurrent_turns is not None for each in allowances)
        streams = any(each.concurrent_streams is not None for each in allowances)
        return replace(
            want,
            turns=want.turns if turns else 0,
            background=want.background if turns else None,
            streams=want.streams if streams else 0,
        )

    def _counts(self, want: Want) -> bool:
        rated = any(
            account.allowance.requests_per_minute is not None
            or account.allowance.tokens_per_minute is not None
            for account in self._accounts
        )
        return bool(want.turns or want.streams or (want.requests and rated))

    def _metered(self, background: str | None) -> list[str]:
        """Name the accounts that must hear of the turn's end."""
        held = background is not None
        return [
            account.name
            for account in self._accounts
            if account.allowance.tokens_per_minute is not None
            or (held and account.allowance.concurrent_turns is not None)
        ]

    def _refuse(self, refused: Refused) -> NoReturn:
        LIMIT_REFUSALS(refused.kind).inc()
        self._stands(refused.standing)
        raise too_many(refused, self._tenant)

    def _stands(self, standing: Standing) -> None:
        self.headers = headers(standing) or self.headers


class LimitMiddleware:
    """Gives every request with a caller its visit, and its answer the headers of it."""

    def __init__(self, app: ASGIApp, limiter: Limiter, background_ms: int) -> None:
        """Stand behind what knows the caller."""
        self._app = app
        self._limiter = limiter
        self._background_ms = background_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        caller: Caller | None = scope.get("state", {}).get("caller")
        if caller is None:
            await self._app(scope, receive, send)
            return
        visit = Visit(self._limiter, caller, self._background_ms)
        scope["state"]["visit"] = visit

        async def send_limited(message: Message) -> None:
            if message["type"] == "http.response.start" and visit.headers:
                message["headers"] = [*message.get("headers", []), *visit.headers]
            await send(message)

        try:
            await self._app(scope, receive, send_limited)
        finally:
            visit.leave()
