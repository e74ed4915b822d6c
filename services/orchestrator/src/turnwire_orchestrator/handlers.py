"""What the orchestrator does with each message: requested turns, wishes to cancel, questions."""

import asyncio
from collections import OrderedDict

import structlog

from turnwire_chassis.event_log import Recorded
from turnwire_chassis.jetstream.inbox import Delivery
from turnwire_chassis.jetstream.topology import MAX_DELIVERIES
from turnwire_chassis.telemetry.correlation import correlate
from turnwire_chassis.telemetry.spans import Span
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_contracts.turn import ClosedTurn, Erased, ImpossibleEventError, Unborn
from turnwire_orchestrator import failures
from turnwire_orchestrator.driving.drive import Drive
from turnwire_orchestrator.driving.owned_turn import OwnedTurn
from turnwire_orchestrator.observing import turns
from turnwire_orchestrator.ports import Ports

log = structlog.get_logger()

_REMEMBERED_CANCELS = 10_000
_FORGET_AFTER_S = 15.0


class TurnHandlers:
    """Owns the turns of this process."""

    def __init__(self, ports: Ports) -> None:
        """Own nothing yet."""
        self._ports = ports
        self._drives: dict[ResponseId, Drive] = {}
        self._owners: dict[ResponseId, asyncio.Future[None]] = {}
        self._trusted_after: int | None = 0
        self._cancels: OrderedDict[ResponseId, None] = OrderedDict()
        self._forgetting: set[asyncio.Task[None]] = set()

    async def requested(self, delivery: Delivery) -> None:
        """Drive a turn to its end; raising gives it back for another try."""
        _, response_id, _ = subjects.parse_turn_event(delivery.subject)
        if (owner := self._owners.get(response_id)) is not None:
            # A broker that restarts may give out again what this process works on: one owner
            # is enough, and how it ends is how this delivery ends.
            await asyncio.shield(owner)
            return
        owner = asyncio.get_running_loop().create_future()
        self._owners[response_id] = owner
        try:
            await self._own(delivery, response_id)
        except BaseException as error:
            if isinstance(error, Exception):
                owner.set_exception(error)
                owner.exception()  # Nobody else need be interested.
            else:
                owner.cancel()
            raise
        else:
            owner.set_result(None)
        finally:
            del self._owners[response_id]

    def distrust(self, sequence: int | None) -> None:
        """Take no first delivery up to `sequence` at its word; `None`: none at all.

        A broker that was killed may have forgotten what it had given out, and to whom.
        """
        self._trusted_after = sequence

    async def _own(self, delivery: Delivery, response_id: ResponseId) -> None:
        first_owner = self._is_first(delivery)
        correlate(response_id=response_id)
        try:
            recorded = await self._recorded(delivery, first_owner=first_owner)
            claim = f"{self._ports.claim}:{delivery.attempt}"
            owned = OwnedTurn(self._ports, recorded, claim)
        except (codec.UnreadableEventError, ImpossibleEventError):
            # Another try would not read it either; the store keeps it among the dead letters.
            log.exception("turn cannot be read", subject=delivery.subject)
            return
        if isinstance(owned.turn, Unborn | Erased):
            return
        drive = Drive(self._ports, owned, owned.turn.request, first_owner=first_owner)
        self._drives[response_id] = drive
        if response_id in self._cancels:
            drive.cancel()
        try:
            owner = turns.Owner(delivery.attempt, drive.epoch)
            with turns.owned(owned.turn.request, owner) as span:
                await self._drive(drive, owned, owner.attempt, span)
        finally:
            del self._drives[response_id]

    def _is_first(self, delivery: Delivery) -> bool:
        trusted = self._trusted_after
        return delivery.attempt == 1 and trusted is not None and delivery.sequence > trusted

    async def _recorded(self, delivery: Delivery, *, first_owner: bool) -> list[Recorded]:
        """Give the turn's events; the first owner of a new turn holds the only one in its hands."""
        tenant, response_id, kind = subjects.parse_turn_event(delivery.subject)
        if first_owner and response_id not in self._cancels:
            return [Recorded(delivery.sequence, codec.decode(kind, delivery.body))]
        return await self._ports.log.read(tenant, response_id)

    async def _drive(self, drive: Drive, owned: OwnedTurn, attempt: int, span: Span) -> None:
        if isinstance(owned.turn, ClosedTurn):
            await drive.tell_end_again()
            # Its tokens may have been charged already; what it holds can be set free twice.
            await self._tell_meter(owned.turn, tokens=0)
            return
        last = attempt >= MAX_DELIVERIES
        await drive.run(give_up=failures.too_many_owners(attempt) if last else None)
        if isinstance(owned.turn, ClosedTurn):
            _log_closed(owned.turn, attempt)
            content = self._ports.policy.trace_content
            turns.closed(span, owned.turn, drive.channel.sent, content=content)
            await self._tell_meter(owned.turn, tokens=_tokens(owned.turn))
            if owned.turn.closed.withheld or not owned.turn.closed.stored:
                self._forget_later(owned.turn.request)

    async def _tell_meter(self, turn: ClosedTurn, tokens: int) -> None:
        request = turn.request
        if request.metered:
            told = TurnEnded(request.tenant, request.response_id, request.metered, tokens)
            await self._ports.meter.ended(told)

    def _forget_later(self, request: Requested) -> None:
        """Drop the frames of what is not stored, once slow readers had their time."""
        if not request.watched:
            return

        async def forget() -> None:
            await asyncio.sleep(_FORGET_AFTER_S)
            await self._ports.output.forget(request.turn_key)

        task = asyncio.create_task(forget())
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)

    def cancel_requested(self, subject: str) -> None:
        """Stop a turn that is ours; remember one that may come yet."""
        _, response_id, _ = subjects.parse_turn_event(subject)
        drive = self._drives.get(response_id)
        if drive is not None:
            drive.cancel()
            return
        self._cancels[response_id] = None
        if len(self._cancels) > _REMEMBERED_CANCELS:
            self._cancels.popitem(last=False)

    def turn_changed(self) -> None:
        """Forget histories: a turn that had ended was deleted, restored, or lost an item."""
        self._ports.histories.forget()

    async def say_again(self) -> None:
        """Publish the frames of all live turns once more: the broker has lost its memory."""
        for drive in list(self._drives.values()):
            await drive.channel.say_again()


def _tokens(turn: ClosedTurn) -> int:
    usage = turn.closed.usage
    return usage.input_tokens + usage.output_tokens if usage else 0


def _log_closed(turn: ClosedTurn, attempt: int) -> None:
    closed = turn.closed
    log.info(
        "turn closed",
        status=closed.status,
        code=closed.failure.code if closed.failure else None,
        ms=closed.at - turn.request.at,
        attempt=attempt,
    )
