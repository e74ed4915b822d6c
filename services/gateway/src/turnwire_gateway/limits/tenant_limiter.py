"""One tenant's limit state as one gateway works on it.

What comes while a step is written waits for the next: a thousand requests at once cost the broker
hardly more than one does.
"""

import asyncio
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limits.limit_state import (
    Acquisition,
    Clock,
    Lease,
    LimitState,
    QuotaRefused,
    QuotaReleased,
    changed_lease,
    concurrency_refusal,
    current,
    is_ahead,
    rate_refusal,
    status_of,
)
from turnwire_gateway.limits.limit_states import (
    LimitStates,
    LimitStatesUnavailableError,
    MovedError,
    StoredLimitState,
)
from turnwire_gateway.limits.settlement import AcquisitionResult, Batch, is_same, settle

log = structlog.get_logger()

_PATIENCE_S = 10.0
"""The broker takes up to nine seconds to elect who leads the bucket."""

_FINISH_S = 0.5
_LINGER_S = 0.05
"""Seconds that an end waits for a request to be written with; no client waits for an end."""

Pending = tuple[Acquisition, "asyncio.Future[AcquisitionResult]"]


class TenantLimiter:
    """Acquires and releases, for one tenant at one gateway."""

    def __init__(
        self, tenant: TenantId, limit_states: LimitStates, gateway: str, clock: Callable[[], Clock]
    ) -> None:
        """`gateway` names this process among all there ever were."""
        self._tenant = tenant
        self._limit_states = limit_states
        self._gateway = gateway
        self._clock = clock
        self._stored: StoredLimitState | None = None
        self._own_lease = Lease(0)
        self._pending: list[Pending] = []
        self._ends: list[QuotaReleased] = []
        self._steps = 0
        self._in_doubt: dict[QuotaReleased, int] = {}
        """Ends that may be charged already, and the first step that may have charged them.

        Each step after that one has them too, so it is enough that any of them was written.
        """
        self._written = True
        self._working: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None

    def refusal(self, acquisition: Acquisition) -> QuotaRefused | None:
        """Give the refusal of what has no room whatever other gateways do; no I/O."""
        clock = self._clock()
        stored = self._stored.limit_state if self._stored else LimitState()
        limit_state = LimitState(clock.now) if is_ahead(stored, clock) else current(stored, clock)
        refused = rate_refusal(limit_state, acquisition, clock)
        if refused is None:
            here = LimitState(clock.now, leases={self._gateway: self._own_lease})
            refused = concurrency_refusal(here, acquisition)
        if refused is None:
            return None
        status = status_of(limit_state, acquisition.accounts, clock)
        return QuotaRefused(refused.account, refused.kind, refused.limit, refused.retry_ms, status)

    async def acquire(self, acquisition: Acquisition) -> AcquisitionResult:
        """Acquire, or give the refusal; raises `LimitStatesUnavailableError`."""
        result: asyncio.Future[AcquisitionResult] = asyncio.get_running_loop().create_future()
        self._pending.append((acquisition, result))
        self.work()
        try:
            return await result
        except asyncio.CancelledError:
            if result.done() and not result.cancelled():
                self._undo(acquisition, result.result())
            raise

    def release(self, acquisition: Acquisition) -> None:
        """Release what was acquired; a background turn stays held until its end."""
        if acquisition.turns or acquisition.streams:
            self._own_lease = changed_lease(self._own_lease, acquisition, -1)
            self._written = False
            self._work_soon()

    def end(self, ended: QuotaReleased) -> None:
        """Charge what a turn cost, and release what it held."""
        self._ends.append(ended)
        self._work_soon()

    def forget(self) -> None:
        """Trust nothing that was read before: the broker may have lost it."""
        self._stored = None
        self._written = False

    def keep(self) -> None:
        """Renew the lease, and try again what could not be written."""
        if self._own_lease.turns or self._own_lease.streams or self._ends or not self._written:
            self.work()

    async def finish(self) -> None:
        """Write at once what is new, if that is possible within half a second."""
        if self._ends or not self._written:
            self.work()
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=_FINISH_S)

    def work(self) -> None:
        """Write what is new, unless a task does so already."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    def _work_soon(self) -> None:
        if self._lingering is None:
            loop = asyncio.get_running_loop()
            self._lingering = loop.call_later(_LINGER_S, self.work)

    async def _work(self) -> None:
        while True:
            pending, self._pending = self._pending, []
            try:
                written = await self._decide(pending)
            finally:
                # Whatever went wrong, no request waits for ever.
                _refuse_waiting(pending)
            if not self._pending:
                break
        if written and (self._ends or not self._written):
            self._work_soon()

    async def _decide(self, pending: list[Pending]) -> bool:
        """Do one step with all that has come; tells whether it could be written."""
        ends, self._ends = self._ends, []
        self._written = True
        acquisitions = [acquisition for acquisition, _ in pending]
        self._steps += 1
        lease = self._own_lease
        batch = Batch(acquisitions, ends, lease.turns, lease.streams, self._steps)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                results = await self._step(batch)
        except (LimitStatesUnavailableError, TimeoutError) as error:
            log.warning("limits not written", tenant=self._tenant, error=repr(error))
            self._doubt(batch)
            return False
        self._in_doubt.clear()
        for (acquisition, future), result in zip(pending, results, strict=True):
            self._answer(acquisition, future, result)
        return True

    def _doubt(self, batch: Batch) -> None:
        """Try a step again that may have been written; what it acquired then is let go."""
        held = [each.background for each in batch.acquisitions if each.background is not None]
        unheard = [QuotaReleased(background, (), 0) for background in held]
        for each in batch.ends:
            self._in_doubt.setdefault(each, batch.number)
        self._ends = [*batch.ends, *unheard, *self._ends]
        self._written = False
        self._stored = None

    async def _step(self, batch: Batch) -> list[AcquisitionResult]:
        newest = False
        results: list[AcquisitionResult] | None = None
        while True:
            if self._stored is None:
                self._stored = await self._limit_states.read(self._tenant)
                newest = True
                kept = self._stored.limit_state
                if results is not None and kept.has_step(self._gateway, batch.number):
                    # It was written, others wrote after it, and its confirmation was lost.
                    return results
                batch = self._without_charged(batch, kept)
            stored, clock = self._stored, self._clock()
            settled, results = settle(stored.limit_state, batch, self._gateway, clock)
            if not newest and any(_may_have_changed(each) for each in results):
                self._stored = None
            elif is_same(settled, stored.limit_state, clock):
                return results
            else:
                try:
                    revision = await self._limit_states.write(
                        self._tenant, settled, stored.revision
                    )
                except MovedError:
                    self._stored = None
                else:
                    self._stored = StoredLimitState(settled, revision)
                    return results

    def _without_charged(self, batch: Batch, kept: LimitState) -> Batch:
        """Leave out the ends of former steps that were written although nothing confirmed it.

        One that is not there yet may still come, until a later step is written.
        """
        if not self._in_doubt:
            return batch

        def is_charged(end: QuotaReleased) -> bool:
            number = self._in_doubt.get(end)
            return number is not None and kept.has_step(self._gateway, number)

        return replace(batch, ends=[each for each in batch.ends if not is_charged(each)])

    def _answer(
        self,
        acquisition: Acquisition,
        waiting: "asyncio.Future[AcquisitionResult]",
        result: AcquisitionResult,
    ) -> None:
        if not isinstance(result, QuotaRefused):
            self._own_lease = changed_lease(self._own_lease, acquisition, 1)
        if waiting.cancelled():
            self._undo(acquisition, result)
        else:
            waiting.set_result(result)

    def _undo(self, acquisition: Acquisition, result: AcquisitionResult) -> None:
        """Release what was acquired for a client that has gone."""
        if isinstance(result, QuotaRefused):
            return
        self.release(acquisition)
        if acquisition.background is not None:
            self.end(QuotaReleased(acquisition.background, (), 0))


def _may_have_changed(result: AcquisitionResult) -> bool:
    """Tell whether other gateways may have made room meanwhile: only an end does, never a use."""
    return isinstance(result, QuotaRefused) and result.retry_ms is None


def _refuse_waiting(pending: list[Pending]) -> None:
    for _, future in pending:
        if not future.done():
            future.set_exception(LimitStatesUnavailableError)
