"""One turn while this process owns it: its state, its place in the log, and its fence."""

import asyncio

import structlog

from turnwire_chassis.event_log import (
    FencedError,
    LogUnavailableError,
    Recorded,
    StorageFullError,
    TooLargeError,
)
from turnwire_chassis.jetstream.delivery import OwnershipLostError
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.events import (
    AnyEvent,
    CancelRequested,
    Closed,
    Requested,
    TakenOver,
    TurnChange,
)
from turnwire_contracts.turn import evolve, fold
from turnwire_contracts.turn_state import ClosedTurn, Turn
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Command, Fail
from turnwire_orchestrator.deciding.decide import decide, without_content
from turnwire_orchestrator.guarding.guard_session import to_be_judged
from turnwire_orchestrator.ports import TurnRunnerPorts

log = structlog.get_logger()

_RETRY_WAITS_S = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Between appends, each of which waits by itself for a broker that elects a leader."""
_ROOM_WAIT_S = 0.25
_LONGEST_ROOM_WAIT_S = 2.0
_LAST_MOMENT_S = 1.0
"""Before the deadline of a turn: its time limit must not come first, and say another reason."""


class TurnSession:
    """Appends what is decided, behind the fence of the last event that was read."""

    def __init__(
        self, ports: TurnRunnerPorts, recorded: list[Recorded], claim: str, requested_at: float
    ) -> None:
        """Start from the turn's events so far; `claim` names this owner of this turn.

        `requested_at`: when the turn was requested, by the clock of the event loop.
        """
        self._ports = ports
        self._began = asyncio.get_running_loop().time()
        self._requested_at = requested_at
        self.claim = claim
        self._last = recorded[-1].sequence if recorded else 0
        self._unconfirmed: list[AnyEvent] = []
        self.events = recorded
        self.turn: Turn = self._folded(recorded)

    async def carry_out(self, command: Command) -> None:
        """Decide and append, until the events are in the log and in `turn`.

        Raises `OwnershipLostError` when another owner has moved the turn on, `LogUnavailableError`.
        """
        while events := decide(command, self.turn):
            try:
                for event in events:
                    await self._append(event)
            except FencedError:
                await self._catch_up()
            except TooLargeError:
                command = Fail(at=self._ports.now_ms(), failure=failures.too_large())
            except StorageFullError:
                command = Fail(at=self._ports.now_ms(), failure=failures.storage_full())
            else:
                return

    async def _append(self, event: AnyEvent) -> None:
        kept = without_content(event) if isinstance(event, Closed) and not event.stored else event
        # Stays there when the wait is broken off, as by a cancelled turn: it may be in the log.
        self._unconfirmed.append(kept)
        sequence = await self._append_for_sure(kept)
        self._unconfirmed.clear()
        self.events = [*self.events, Recorded(sequence, kept)]
        self._last = sequence
        self.turn = evolve(self.turn, event)
        if isinstance(event, TakenOver):
            metrics.TAKEOVERS().inc()

    async def _append_for_sure(self, event: AnyEvent) -> int:
        """Append, and try again while the log does not answer: what the model said is at stake.

        No other owner can take the turn over while the log is away, or has no room for its claim.
        Raises `StorageFullError` when there was no room within the turn's time.
        """
        waits = iter(_RETRY_WAITS_S)
        room_wait_s = _ROOM_WAIT_S
        while True:
            try:
                return await self._ports.log.append(event, self._last)
            except StorageFullError:
                if self.time()[1] < _LAST_MOMENT_S and not _says_storage_full(event):
                    raise
                if room_wait_s == _ROOM_WAIT_S:
                    log.warning("append waits for room", response_id=event.response_id)
                metrics.APPEND_RETRIES().inc()
                await asyncio.sleep(room_wait_s)
                room_wait_s = min(2 * room_wait_s, _LONGEST_ROOM_WAIT_S)
            except LogUnavailableError:
                wait = next(waits, None)
                if wait is None:
                    raise
                metrics.APPEND_RETRIES().inc()
                log.warning("append not confirmed, tried again", response_id=event.response_id)
                await asyncio.sleep(wait)

    async def _catch_up(self) -> None:
        """Read what came after our last event; what no owner writes leaves the turn ours."""
        recorded = await self._read()
        if not recorded:
            # Seen after an fsync that failed: the broker gives out what it does not keep yet.
            raise LogUnavailableError("the broker does not have what it has given out")
        if self._has_foreign(recorded):
            raise OwnershipLostError(self.events[0].event.response_id)
        self.events = recorded
        self._last = recorded[-1].sequence
        self.turn = self._folded(recorded)

    def _folded(self, recorded: list[Recorded]) -> Turn:
        turn = fold([each.event for each in recorded])
        return to_be_judged(turn) if self._ports.policy.guarded else turn

    async def is_lost(self) -> bool:
        """Tell whether another owner has moved the turn on. Raises `LogUnavailableError`."""
        return self._has_foreign(await self._read())

    async def _read(self) -> list[Recorded]:
        first = self.events[0].event
        return await self._ports.log.read(first.tenant, first.response_id)

    def _has_foreign(self, recorded: list[Recorded]) -> bool:
        return any(each.sequence > self._last and self._is_foreign(each.event) for each in recorded)

    def _is_foreign(self, event: AnyEvent) -> bool:
        if isinstance(event, TakenOver):
            return event.cause != self.claim
        # An append of our own is found by the log, however its confirmation was lost; it may be
        # there before that comes, or when we wait for it no more. So whatever else an owner writes
        # tells that another one lives, and that what we decided on is old. A dead letter that is
        # retried is requested again.
        return event not in self._unconfirmed and not isinstance(
            event, Requested | CancelRequested | TurnChange
        )

    def time(self) -> tuple[float, float]:
        """Give the seconds that the turn may take, and how many of them are left.

        It is not known how often a background turn is begun again: it counts from its request.
        """
        policy, request = self._ports.policy, self.events[0].event
        now = asyncio.get_running_loop().time()
        if not (isinstance(request, Requested) and request.background):
            spent = now - self._began
            return policy.turn_timeout_s, max(0.0, policy.turn_timeout_s - spent)
        limit = policy.background_timeout_s
        return limit, max(0.0, limit - (now - self._requested_at))

    async def erase(self) -> None:
        """Remove every event but the last from the log: the turn's content was not to be kept.

        Newest first: broken off anywhere, what remains is still a turn that can be read.
        """
        for recorded in reversed(self.events):
            if not isinstance(recorded.event, Closed):
                await self._ports.log.erase(recorded)

    @property
    def claims(self) -> int:
        """How often the turn has been taken over."""
        return sum(isinstance(each.event, TakenOver) for each in self.events)

    @property
    def closed(self) -> ClosedTurn | None:
        """The turn, once it has ended with its content still here."""
        return self.turn if isinstance(self.turn, ClosedTurn) else None


def _says_storage_full(event: AnyEvent) -> bool:
    """Tell whether an event is the end of a turn for want of room.

    It is as short as an end can be, and without one the turn would be begun again: its owner holds
    it for as long as it lives.
    """
    failure = event.failure if isinstance(event, Closed) else None
    return failure is not None and failure.code == failures.STORAGE_FULL
