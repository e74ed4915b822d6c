"""One tenant's ledger as one gateway works on it.

What comes while a step is written waits for the next: a crowd costs the broker hardly more than one
request does.
"""

import asyncio
from collections.abc import Callable

import structlog

from turnwire_contracts.ids import TenantId
from turnwire_gateway.limiting.counting.ledger import (
    Clock,
    Ended,
    Lease,
    Ledger,
    Refused,
    Want,
    crowd_refusal,
    current,
    grown,
    is_ahead,
    rate_refusal,
    standing,
)
from turnwire_gateway.limiting.counting.ledgers import (
    Kept,
    Ledgers,
    LedgersUnavailableError,
    MovedError,
)
from turnwire_gateway.limiting.counting.settling import Batch, Verdict, is_same, settle

log = structlog.get_logger()

_PATIENCE_S = 5.0
_FINISH_S = 0.5
_LINGER_S = 0.05
"""How long an end waits for a request that is written with it; nobody waits for an end."""

Asked = tuple[Want, "asyncio.Future[Verdict]"]


class Desk:
    """Lets in and gives back, for one tenant at one gateway."""

    def __init__(
        self, tenant: TenantId, ledgers: Ledgers, gateway: str, clock: Callable[[], Clock]
    ) -> None:
        """Nothing runs here yet; `gateway` names this process among all there ever were."""
        self._tenant = tenant
        self._ledgers = ledgers
        self._gateway = gateway
        self._clock = clock
        self._known: Kept | None = None
        self._mine = Lease(0)
        self._asked: list[Asked] = []
        self._ends: list[Ended] = []
        self._written = True
        self._working: asyncio.Task[None] | None = None
        self._lingering: asyncio.TimerHandle | None = None

    def refusal(self, want: Want) -> Refused | None:
        """Refuse what cannot be let in whatever the others do, without asking anybody."""
        clock = self._clock()
        known = self._known.ledger if self._known else Ledger()
        ledger = Ledger(clock.now) if is_ahead(known, clock) else current(known, clock)
        refused = rate_refusal(ledger, want, clock)
        if refused is None:
            here = Ledger(clock.now, leases={self._gateway: self._mine})
            refused = crowd_refusal(here, want)
        if refused is None:
            return None
        stands = standing(ledger, want.accounts, clock)
        return Refused(refused.account, refused.kind, refused.limit, refused.retry_ms, stands)

    async def take(self, want: Want) -> Verdict:
        """Let somebody in, or not; raises `LedgersUnavailableError`."""
        asked: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._asked.append((want, asked))
        self.work()
        try:
            return await asked
        except asyncio.CancelledError:
            if asked.done() and not asked.cancelled():
                self._undo(want, asked.result())
            raise

    def give_back(self, want: Want) -> None:
        """Set free what somebody was let in with; a background turn stays held."""
        if want.turns or want.streams:
            self._mine = grown(self._mine, want, -1)
            self._written = False
            self._work_soon()

    def end(self, ended: Ended) -> None:
        """Charge what a turn cost, and set free what it held."""
        self._ends.append(ended)
        self._work_soon()

    def forget(self) -> None:
        """Trust nothing that was read before: the broker may have lost it."""
        self._known = None
        self._written = False

    def keep(self) -> None:
        """Renew the lease, and try again what could not be written."""
        if self._mine.turns or self._mine.streams or self._ends or not self._written:
            self.work()

    async def finish(self) -> None:
        """Write down at once what is new, if that is possible within a moment."""
        if self._ends or not self._written:
            self.work()
        if self._working is not None:
            await asyncio.wait({self._working}, timeout=_FINISH_S)

    def work(self) -> None:
        """Write down what is new, if nobody does so already."""
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
            asked, self._asked = self._asked, []
            try:
                written = await self._decide(asked)
            finally:
                # Whatever went wrong, nobody waits for ever.
                _refuse_waiting(asked)
            if not self._asked:
                break
        if written and (self._ends or not self._written):
            self._work_soon()

    async def _decide(self, asked: list[Asked]) -> bool:
        """Do one step with all that is there; tells whether it could be written."""
        ends, self._ends = self._ends, []
        self._written = True
        wants = [want for want, _ in asked]
        batch = Batch(wants, ends, self._mine.turns, self._mine.streams)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                verdicts = await self._step(batch)
        except (LedgersUnavailableError, TimeoutError) as error:
            log.warning("limits not written", tenant=self._tenant, error=repr(error))
            self._ends = ends + self._ends
            self._written = False
            return False
        for (want, future), verdict in zip(asked, verdicts, strict=True):
            self._tell(want, future, verdict)
        return True

    async def _step(self, batch: Batch) -> list[Verdict]:
        newest = False
        while True:
            if self._known is None:
                self._known = await self._ledgers.read(self._tenant)
                newest = True
            known, clock = self._known, self._clock()
            settled, verdicts = settle(known.ledger, batch, self._gateway, clock)
            if not newest and any(_may_have_changed(each) for each in verdicts):
                self._known = None
            elif is_same(settled, known.ledger, clock):
                return verdicts
            else:
                try:
                    revision = await self._ledgers.write(self._tenant, settled, known.revision)
                except MovedError:
                    self._known = None
                else:
                    self._known = Kept(settled, revision)
                    return verdicts

    def _tell(self, want: Want, asked: "asyncio.Future[Verdict]", verdict: Verdict) -> None:
        if not isinstance(verdict, Refused):
            self._mine = grown(self._mine, want, 1)
        if asked.cancelled():
            self._undo(want, verdict)
        else:
            asked.set_result(verdict)

    def _undo(self, want: Want, verdict: Verdict) -> None:
        """Give back what was let in for somebody who has gone."""
        if isinstance(verdict, Refused):
            return
        self.give_back(want)
        if want.background is not None:
            self.end(Ended(want.background, (), 0))


def _may_have_changed(verdict: Verdict) -> bool:
    """Tell whether others may have made room meanwhile: only an end does, never a use."""
    return isinstance(verdict, Refused) and verdict.retry_ms is None


def _refuse_waiting(asked: list[Asked]) -> None:
    for _, future in asked:
        if not future.done():
            future.set_exception(LedgersUnavailableError)
