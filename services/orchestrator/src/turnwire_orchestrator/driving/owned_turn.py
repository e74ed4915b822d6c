"""One turn while this process owns it: its state, its place in the log, and its fence."""

import asyncio

import structlog

from turnwire_chassis.event_log import (
    FencedError,
    LogUnavailableError,
    Recorded,
    TooLargeError,
)
from turnwire_chassis.jetstream.inbox import DisownedError
from turnwire_chassis.telemetry import metrics
from turnwire_contracts.events import AnyEvent, Closed, TakenOver
from turnwire_contracts.turn import ClosedTurn, Turn, evolve, fold
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Command, Fail
from turnwire_orchestrator.deciding.decide import decide, without_content
from turnwire_orchestrator.guarding.judging import to_be_judged
from turnwire_orchestrator.ports import Ports

log = structlog.get_logger()

_RETRY_WAITS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 10.0)


class OwnedTurn:
    """Appends what is decided, behind the fence of the last event that was read."""

    def __init__(self, ports: Ports, recorded: list[Recorded], claim: str) -> None:
        """Start from the turn's events so far; `claim` names this owner of this turn."""
        self._ports = ports
        self.claim = claim
        self._last = recorded[-1].sequence if recorded else 0
        self.events = recorded
        self.turn: Turn = self._folded(recorded)

    async def carry_out(self, command: Command) -> None:
        """Decide and append, until the events are in the log and in `turn`.

        Raises `DisownedError` when another owner has moved the turn on, `LogUnavailableError`.
        """
        while events := decide(command, self.turn):
            try:
                for event in events:
                    await self._append(event)
            except FencedError:
                await self._catch_up()
            except TooLargeError:
                command = Fail(at=self._ports.now_ms(), failure=failures.too_large())
            else:
                return

    async def _append(self, event: AnyEvent) -> None:
        kept = without_content(event) if isinstance(event, Closed) and not event.stored else event
        sequence = await self._append_for_sure(kept)
        self.events = [*self.events, Recorded(sequence, kept)]
        self._last = sequence
        self.turn = evolve(self.turn, event)
        if isinstance(event, TakenOver):
            metrics.TAKEOVERS().inc()

    async def _append_for_sure(self, event: AnyEvent) -> int:
        """Append, and try again while the log does not answer: what the model said is at stake.

        Nobody else can take the turn over while the log is away.
        """
        waits = iter(_RETRY_WAITS_S)
        while True:
            try:
                return await self._ports.log.append(event, self._last)
            except LogUnavailableError:
                wait = next(waits, None)
                if wait is None:
                    raise
                metrics.APPEND_RETRIES().inc()
                log.warning("append not confirmed, tried again", response_id=event.response_id)
                await asyncio.sleep(wait)

    async def _catch_up(self) -> None:
        """Read what came after our last event; only a wish to cancel leaves the turn ours."""
        first = self.events[0].event
        recorded = await self._ports.log.read(first.tenant, first.response_id)
        for each in recorded:
            if each.sequence > self._last and self._is_foreign(each.event):
                raise DisownedError(first.response_id)
        self.events = recorded
        self._last = recorded[-1].sequence
        self.turn = self._folded(recorded)

    def _folded(self, recorded: list[Recorded]) -> Turn:
        turn = fold([each.event for each in recorded])
        return to_be_judged(turn) if self._ports.policy.guarded else turn

    def _is_foreign(self, event: AnyEvent) -> bool:
        if isinstance(event, TakenOver):
            return event.cause != self.claim
        return isinstance(event, Closed)

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
