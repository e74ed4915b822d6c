"""What the orchestrator does with each message: requested turns, wishes to cancel, questions."""

import asyncio
from collections import OrderedDict
from contextlib import suppress

import structlog
from nats.errors import Error as NatsError

from turnwire_chassis.concurrency import gather_bounded
from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_chassis.jetstream.delivery import Delivery, OwnershipLostError
from turnwire_chassis.telemetry.correlation import correlate
from turnwire_chassis.telemetry.spans import Span
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.ids import ResponseId, TurnKey
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested
from turnwire_orchestrator import failures
from turnwire_orchestrator.observing import turns
from turnwire_orchestrator.ports import TurnRunnerPorts
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_orchestrator.turn_runner.turn_runner import TurnRunner
from turnwire_orchestrator.turn_runner.turn_session import TurnSession

log = structlog.get_logger()

MOST_OWNERS = 6
"""A turn that so many owners failed to finish is closed as failed by the last."""

_REMEMBERED_CANCELS = 10_000
_FORGET_AFTER_S = 15.0
_LOOKED_AT_AT_ONCE = 32
_LOOK_AGAIN_S = 0.25
_LOOK_AGAIN_AT_LOST_S = 2.0


class TurnHandlers:
    """Owns the turns of this process."""

    def __init__(self, ports: TurnRunnerPorts) -> None:
        self._ports = ports
        self._runners: dict[ResponseId, TurnRunner] = {}
        self._owners: dict[ResponseId, asyncio.Future[None]] = {}
        self._trusted_after: int | None = 0
        self._is_connected = True
        self._cancels: OrderedDict[ResponseId, None] = OrderedDict()
        self._unstored: dict[asyncio.Task[None], Channel] = {}
        self._looking: set[asyncio.Task[None]] = set()

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
                owner.exception()  # Seen, or asyncio would complain if no delivery waits for it.
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
        first_owner = self.is_first(delivery)
        correlate(response_id=response_id)
        try:
            recorded = await self._recorded(delivery, first_owner=first_owner)
            claim = f"{self._ports.claim}:{delivery.attempt}"
            session = TurnSession(self._ports, recorded, claim, delivery.published)
            if not first_owner and await self._lives_elsewhere(session):
                raise OwnershipLostError(response_id)
        except (codec.UnreadableEventError, ImpossibleEventError):
            # Another try would not read it either; the store keeps it among the dead letters.
            log.exception("turn cannot be read", subject=delivery.subject)
            return
        if isinstance(session.turn, NotRequested | Erased):
            return
        runner = TurnRunner(self._ports, session, session.turn.request, first_owner=first_owner)
        if not self._is_connected:
            runner.channel.hold()
        self._runners[response_id] = runner
        if response_id in self._cancels:
            runner.cancel()
        try:
            owner = turns.Owner(delivery.attempt, runner.epoch)
            with turns.session(session.turn.request, owner) as span:
                await self._run(runner, session, delivery, span)
        finally:
            del self._runners[response_id]

    def is_first(self, delivery: Delivery) -> bool:
        """Tell whether no other owner can have begun a turn: only then may it be refused."""
        trusted = self._trusted_after
        return delivery.attempt == 1 and trusted is not None and delivery.sequence > trusted

    def drives(self, turn: TurnKey) -> bool:
        """Tell whether this process works on a turn now."""
        return turn.response_id in self._runners

    async def _lives_elsewhere(self, session: TurnSession) -> bool:
        """Tell whether another process works on a turn that was delivered again.

        A broker that elects a leader is silent for longer than an owner may be, and then gives
        out what its owners still work on. Their acknowledgements count as before.
        """
        if isinstance(session.turn, ClosedTurn | NotRequested | Erased):
            return False
        request = session.turn.request
        if request.background and len(session.events) == 1:
            # An owner that takes a background turn says so in its log.
            return False
        return await self._ports.owners.is_running(request.turn_key)

    async def _recorded(self, delivery: Delivery, *, first_owner: bool) -> list[Recorded]:
        """Give the turn's events; the first owner of a new turn holds the only one in its hands."""
        if first_owner:
            event = codec.read_turn_event(delivery.subject, delivery.body)
            if event.response_id not in self._cancels:
                return [Recorded(delivery.sequence, event)]
        tenant, response_id, _ = subjects.parse_turn_event(delivery.subject)
        return await self._ports.log.read(tenant, response_id)

    async def _run(
        self, runner: TurnRunner, session: TurnSession, delivery: Delivery, span: Span
    ) -> None:
        if isinstance(session.turn, ClosedTurn):
            await runner.tell_end_again()
            # Its tokens may have been charged already; what it holds can be set free twice.
            await self._tell_meter(session.turn, tokens=0)
            return
        await runner.run(give_up=self._reason_to_give_up(session, delivery))
        if isinstance(session.turn, ClosedTurn):
            _log_closed(session.turn, delivery.attempt)
            content = self._ports.policy.trace_content
            turns.closed(span, session.turn, runner.channel.sent, content=content)
            await self._tell_meter(session.turn, tokens=_tokens(session.turn))
            if session.turn.closed.withheld or not session.turn.closed.stored:
                self._forget_later(session.turn.request, runner.channel)

    def _reason_to_give_up(self, session: TurnSession, delivery: Delivery) -> Failure | None:
        if delivery.overdue and self.is_first(delivery):
            return failures.overloaded(self._ports.policy.max_queue_s)
        # The first owner leaves no claim, and this one has yet to make its own.
        owners = session.claims + 2
        return failures.too_many_owners(owners) if owners >= MOST_OWNERS else None

    async def _tell_meter(self, turn: ClosedTurn, tokens: int) -> None:
        request = turn.request
        if request.metered:
            notice = TurnEnded(request.tenant, request.response_id, request.metered, tokens)
            await self._ports.usage_publisher.ended(notice)

    def _forget_later(self, request: Requested, channel: Channel) -> None:
        """Drop the frames of what is not stored, once slow readers had their time.

        The log cannot tell them, so until then they may have to be published once more.
        """
        if not request.watched:
            return

        async def forget() -> None:
            await asyncio.sleep(_FORGET_AFTER_S)
            await self._ports.output.forget(request.turn_key)

        task = asyncio.create_task(forget())
        self._unstored[task] = channel
        task.add_done_callback(self._unstored.pop)

    def cancel_requested(self, subject: str) -> None:
        """Stop a turn that is ours; remember one that may come yet."""
        _, response_id, _ = subjects.parse_turn_event(subject)
        runner = self._runners.get(response_id)
        if runner is not None:
            runner.cancel()
            return
        self._cancels[response_id] = None
        if len(self._cancels) > _REMEMBERED_CANCELS:
            self._cancels.popitem(last=False)

    def turn_changed(self) -> None:
        """Forget histories: a turn that had ended was deleted, restored, or lost an item."""
        self._ports.histories.forget()

    def connection_lost(self) -> None:
        """Publish no frames: the lease of any turn may run out before there is a connection."""
        self._is_connected = False
        self.distrust(None)
        for runner in self._runners.values():
            runner.channel.hold()

    async def connection_found(self) -> None:
        """Go on telling the turns that are still ours, with all that the broker has not heard."""
        self._is_connected = True
        await gather_bounded(self._take_up, list(self._runners.values()), _LOOKED_AT_AT_ONCE)
        for channel in list(self._unstored.values()):
            with suppress(NatsError):
                await channel.say_again()

    async def _take_up(self, runner: TurnRunner) -> None:
        while runner in self._runners.values() and self._is_connected:
            with suppress(LogUnavailableError, NatsError):
                if await self._is_owner(runner):
                    await runner.channel.say_again()
                else:
                    self._take_up_later(runner)
                return
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _is_owner(self, runner: TurnRunner) -> bool:
        try:
            return await runner.is_owner()
        except codec.UnreadableEventError:
            # A newer orchestrator has written it: one of this version does not.
            log.exception("turn cannot be read", response_id=runner.response_id)
            return False

    def _take_up_later(self, runner: TurnRunner) -> None:
        """Look once more at a turn that is not ours any more, as long as it is driven here.

        It finds out by its next append, and says nothing before; if we were wrong, it must speak.
        """

        async def take_up() -> None:
            await asyncio.sleep(_LOOK_AGAIN_AT_LOST_S)
            if runner.channel.held:
                await self._take_up(runner)

        task = asyncio.create_task(take_up())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def say_again(self) -> None:
        """Publish all frames once more that the log cannot tell: the broker has lost some.

        What is held is left out: `connection_found` says it again, if it is still ours.
        """
        live = [runner.channel for runner in self._runners.values()]
        for channel in [*live, *self._unstored.values()]:
            if not channel.held:
                # Of one turn too much may wait to be sent; the next may still have room.
                with suppress(NatsError):
                    await channel.say_again()


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
