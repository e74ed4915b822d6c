"""What one request takes of the limits: checked before, acquired, released at its end."""

from typing import NoReturn

from msgspec.structs import replace

from turnwire_chassis.telemetry.metrics import LIMIT_REFUSALS
from turnwire_contracts.events import Requested
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.limits.allowances import sizes_of
from turnwire_gateway.limits.headers import Header, headers, too_many
from turnwire_gateway.limits.limit_state import Acquisition, QuotaRefused, RateLimitStatus
from turnwire_gateway.limits.limiter import Limiter

_SLACK_MS = 60_000
"""Clocks differ, and a turn's last moments take time too."""


class RequestQuota:
    """What one request takes of its caller's limits."""

    def __init__(self, limiter: Limiter, caller: Caller, background_ms: int) -> None:
        """`background_ms`: within how many milliseconds a background turn ends."""
        self._limiter = limiter
        self._tenant = caller.tenant
        self._accounts = limiter.allowances.accounts(caller)
        self._background_ms = background_ms
        self._taken: list[Acquisition] = []
        self._held: str | None = None
        self.sizes = sizes_of(self._accounts)
        self.headers: list[Header] = []
        """What the answer says of the caller's limits."""

    def precheck(self) -> None:
        """Raise `ApiError` (429) if certainly no request has room; nothing is counted, no I/O."""
        acquisition = Acquisition(self._accounts, requests=1)
        if self._counts(acquisition) and (
            refused := self._limiter.refusal(self._tenant, acquisition)
        ):
            self._refuse(refused)

    async def acquire(self) -> None:
        """Acquire for a request that makes no turn; raises `ApiError` (429, 503)."""
        await self._acquire(Acquisition(self._accounts, requests=1))

    async def acquire_turn(self, request: Requested) -> Requested:
        """Acquire for a turn, and give its request as it is to be appended.

        Raises `ApiError` (429, 503).
        """
        background = request.response_id if request.background else None
        await self._acquire(
            Acquisition(
                self._accounts,
                requests=1,
                turns=1,
                streams=1 if request.stream else 0,
                background=background,
                until=request.at + self._background_ms + _SLACK_MS,
            )
        )
        return replace(request, metered=self._metered(background))

    async def acquire_existing(self, request: Requested) -> None:
        """Acquire for a request whose turn exists: only the request counts, and its stream.

        Raises `ApiError` (429, 503).
        """
        streams = 1 if request.stream else 0
        await self._acquire(Acquisition(self._accounts, requests=1, streams=streams))

    async def acquire_stream(self) -> None:
        """Acquire for a reader of a stream; raises `ApiError` (429, 503)."""
        await self._acquire(Acquisition(self._accounts, streams=1))

    def keep(self) -> None:
        """Leave a background turn held: it was requested, and its end releases it."""
        self._held = None

    def release(self) -> None:
        """Release everything."""
        for acquisition in self._taken:
            self._limiter.release(self._tenant, acquisition)
        self._taken = []
        if self._held is not None:
            self._limiter.release_background(self._tenant, self._held)
            self._held = None

    async def _acquire(self, acquisition: Acquisition) -> None:
        acquisition = self._limited(acquisition)
        if not self._counts(acquisition):
            return
        result = await self._limiter.acquire(self._tenant, acquisition)
        if isinstance(result, QuotaRefused):
            self._refuse(result)
        self._taken.append(acquisition)
        self._held = acquisition.background
        self._note_status(result)

    def _limited(self, acquisition: Acquisition) -> Acquisition:
        """Leave out what no account limits: it need not be counted."""
        allowances = [account.allowance for account in self._accounts]
        turns = any(each.concurrent_turns is not None for each in allowances)
        streams = any(each.concurrent_streams is not None for each in allowances)
        return replace(
            acquisition,
            turns=acquisition.turns if turns else 0,
            background=acquisition.background if turns else None,
            streams=acquisition.streams if streams else 0,
        )

    def _counts(self, acquisition: Acquisition) -> bool:
        rated = any(
            account.allowance.requests_per_minute is not None
            or account.allowance.tokens_per_minute is not None
            for account in self._accounts
        )
        return bool(acquisition.turns or acquisition.streams or (acquisition.requests and rated))

    def _metered(self, background: str | None) -> list[str]:
        """Name the accounts that must hear of the turn's end."""
        held = background is not None
        return [
            account.name
            for account in self._accounts
            if account.allowance.tokens_per_minute is not None
            or (held and account.allowance.concurrent_turns is not None)
        ]

    def _refuse(self, refused: QuotaRefused) -> NoReturn:
        LIMIT_REFUSALS(refused.kind).inc()
        self._note_status(refused.status)
        raise too_many(refused, self._tenant)

    def _note_status(self, status: RateLimitStatus) -> None:
        self.headers = headers(status) or self.headers
