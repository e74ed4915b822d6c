"""Seeded bugs: the product, broken in one place, which the laws must find.

Each is what a careless change would do. A mutant is put in the place of a method while schedules
run, and taken out again.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from nats.errors import Error as NatsError

from turnwire_chassis.jetstream import event_log
from turnwire_chassis.jetstream.broker_clock import BrokerClock
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_contracts.events import Closed
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.turn import evolve
from turnwire_gateway.admission.conversation_repository import ConversationRepository
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.frame_queue import FrameQueue
from turnwire_gateway.limits.limit_state import LimitState
from turnwire_gateway.limits.tenant_limiter import TenantLimiter
from turnwire_orchestrator.clients.usage_publisher import Gateways
from turnwire_orchestrator.deciding.commands import Finish
from turnwire_orchestrator.deciding.decide import decide
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.prompting import toolbox
from turnwire_orchestrator.turn_runner import tool_rounds
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_orchestrator.turn_runner.turn_runner import TurnRunner
from turnwire_orchestrator.turn_runner.turn_session import TurnSession
from turnwire_store.jetstream_feed import JetStreamFeed
from turnwire_store.projecting.batches import ProjectionBatches

Original = Callable[..., Any]

_UNDECIDED: Final = event_log.__dict__["_UndecidedError"]


class Mutant(Struct, frozen=True):
    """One bug: what it replaces, and by what."""

    name: str
    where: Any
    """A class or a module."""
    attribute: str
    broken: Callable[[Original], Any]
    """Makes the bug of what was there."""
    clustered: bool = False
    """Whether it shows on a broker of three nodes; else on one."""
    faults: int = 4
    extras: str = ""
    """What its schedules have beside."""
    first: int = 1
    """The seed at which the hunt begins: near where it was found last."""


@contextmanager
def mutated(mutant: Mutant) -> Generator[None]:
    """Have a bug inside."""
    original = mutant.where.__dict__[mutant.attribute]
    setattr(mutant.where, mutant.attribute, mutant.broken(original))
    try:
        yield
    finally:
        setattr(mutant.where, mutant.attribute, original)


def _drop_the_fence(original: Original) -> Original:
    async def publish(self: Any, event: Any, body: bytes, expected: int | None) -> int:
        del expected
        return await original(self, event, body, None)

    return publish


def _append_again_blindly(_: Original) -> Original:
    """An append whose confirmation was lost is made again without a look."""

    async def decide(self: Any, event: Any, body: bytes, expected: int | None) -> int:
        del expected
        while True:
            with suppress(_UNDECIDED):
                return await self._publish(event, body, None)
            await asyncio.sleep(0.1)

    return decide


def _skip_the_back_fill(_: Original) -> Original:
    """A reader that notices a gap goes on behind it."""

    async def fill(self: Any) -> None:
        self._queue.next = self._queue.first.first

    return fill


def _forward_what_comes(_: Original) -> Original:
    """Whatever a reader waits for, what comes is written to it."""

    def forwards(self: Any, message: Any) -> bool:
        has_left = message.kind == "F" and self.forward is not None and self.forward(message.body)
        if has_left:
            self.next = message.end
        return has_left

    return forwards


def _ack_before_append(original: Original) -> Original:
    async def handle(self: Any, held: Any, *, overdue: bool) -> None:
        await self._client.publish(held.reply, b"+ACK")
        await original(self, held, overdue=overdue)

    return handle


def _trust_first(_: Original) -> Original:
    """After the broker was lost, "first" is still taken at its word."""

    def distrust(self: Any, sequence: int | None) -> None:
        del sequence
        self._trusted_after = 0

    return distrust


async def _nothing(*_: Any, **__: Any) -> None:
    """Do not do it at all."""


def _left_out(_: Original) -> Original:
    return _nothing


def _go_on_without_it(_: Original) -> Original:
    """What the broker has lost stays lost; later frames are told."""

    async def say_again(self: Any) -> None:
        self._held = False

    return say_again


def _everything_is_safe(_: Original) -> Original:
    def is_safe(item: Any, box: Any) -> bool:
        del item, box
        return True

    return is_safe


def _tell_before_it_is_durable(original: Original) -> Original:
    """The end is told before it is appended."""

    async def do(self: Any, step: Any) -> Any:
        command = await original(self, step)
        if isinstance(command, Finish):
            for event in decide(command, self._session.turn):
                if isinstance(event, Closed):
                    await self.channel.end(evolve(self._session.turn, event))
        return command

    return do


def _close_whoever_owns_it(_: Original) -> Original:
    """What another owner has appended is no reason to stop."""

    def is_foreign(self: Any, event: Any) -> bool:
        del self, event
        return False

    return is_foreign


def _forget_what_was_seen(_: Original) -> Original:
    """A new owner begins the stream again from its start."""

    async def take_over(self: Any) -> list[bytes]:
        del self
        return []

    return take_over


def _show_lost_samples(_: Original) -> property:
    def said(self: OutputSoFar) -> list[Any]:
        return list(self.items)

    return property(said)


def _newest_first(original: Original) -> Original:
    """The store takes what came together from its end."""

    async def next_batch(self: Any) -> list[Any]:
        return list(reversed(await original(self)))

    return next_batch


def _advance_first(original: Original) -> Original:
    """The checkpoint moves before the views are written."""

    async def take(self: Any, batch: Any) -> None:
        if batch:
            await self._views.advance(batch[-1].sequence)
        await original(self, batch)

    return take


def _drop_when_told_to_end(original: Original) -> Original:
    """A process that is told to end confirms what it has, instead of giving it back."""

    async def give_back(self: Any, reply: str, delay_s: float = 0.0) -> None:
        if delay_s:
            await original(self, reply, delay_s)
            return
        with suppress(NatsError):
            await self._client.publish(reply, b"+ACK")

    return give_back


def _charge_again(_: Original) -> Original:
    """Nothing tells a writer that its step was written."""

    def has_step(self: LimitState, gateway: str, number: int) -> bool:
        del self, gateway, number
        return False

    return has_step


def _never_release(_: Original) -> Original:
    def release(self: Any, acquisition: Any) -> None:
        del self, acquisition

    return release


def _append_behind_the_end(original: Original) -> Original:
    """A request in doubt is looked for among what is left of its turn."""

    async def decide(self: Any, event: Any, body: bytes, expected: int | None) -> int:
        return await original(self, event, body, None if expected == 0 else expected)

    return decide


def _lose_the_last_delta(original: Original) -> Original:
    """What has gathered when the turn ends is not sent."""

    async def publish(self: Any, first: int, frames: Any, *, last: bool = False) -> None:
        await original(self, first, frames[1:] if last and len(frames) > 2 else frames, last=last)

    return publish


def _go_on(_: Original) -> Original:
    """An owner whose connection was lost publishes what it has, as soon as there is another."""

    def hold(self: Any) -> None:
        del self

    return hold


def _claim_silently(_: Original) -> Original:
    async def take_over(self: Any) -> Any:
        return await self.published()

    return take_over


def _oldest_first(_: Original) -> Original:
    async def erase(self: Any) -> None:
        for recorded in self.events:
            if not isinstance(recorded.event, Closed):
                await self._ports.log.erase(recorded)

    return erase


def _nothing_needs_it(_: Original) -> Original:
    def needs_approval(rule: Any, tool: Any) -> bool:
        del rule, tool
        return False

    return needs_approval


def _whatever_was_said(original: Original) -> Original:
    def approved(request: Any, past: Any) -> Any:
        answers = [{**item, "approve": True} for item in request.input]
        return original(replace(request, input=answers), past)

    return approved


def _without_a_fence(original: Original) -> Original:
    async def try_append(self: Any, event: Any, expected: int | None) -> None:
        del expected
        await original(self, event, None)

    return try_append


def _first_level_only(original: Original) -> Original:
    def init(self: Any, client: Any, jetstream: Any, consumers: Any, *others: Any) -> None:
        original(self, client, jetstream, consumers[:1], *others)

    return init


def _without_a_clock(_: Original) -> Original:
    def is_overdue(self: Any, held: Any) -> bool:
        may_refuse: bool = self._may_refuse(held.delivery)
        return may_refuse

    return is_overdue


def _deaf(_: Original) -> Original:
    """What the broker says of the time is not heard."""

    def hear(self: Any, timestamp: str) -> None:
        del self, timestamp

    return hear


MUTANTS: Final = (
    Mutant("drop the fence", JetStreamEventLog, "_publish", _drop_the_fence),
    Mutant(
        "append again blindly", JetStreamEventLog, "_decide", _append_again_blindly, clustered=True
    ),
    Mutant(
        "request behind the end",
        JetStreamEventLog,
        "_decide",
        _append_behind_the_end,
        clustered=True,
        first=40,
    ),
    Mutant("skip the back-fill", FrameFeed, "_fill", _skip_the_back_fill),
    Mutant("forward what does not follow", FrameQueue, "forwards", _forward_what_comes),
    Mutant("acknowledge before the append", Inbox, "_handle", _ack_before_append),
    Mutant("drain without handing over", Inbox, "_give_back", _drop_when_told_to_end),
    Mutant("trust first after a broker loss", TurnHandlers, "distrust", _trust_first, first=500),
    Mutant("lost OUTPUT is not republished", Channel, "say_again", _go_on_without_it),
    Mutant("repeat an unsafe call", tool_rounds, "_is_safe", _everything_is_safe, first=60),
    Mutant("close whoever owns it", TurnSession, "_is_foreign", _close_whoever_owns_it),
    Mutant("retract after a takeover", Channel, "take_over", _forget_what_was_seen),
    Mutant("show lost samples to a model", OutputSoFar, "said", _show_lost_samples),
    Mutant("tell the end before it is durable", TurnRunner, "_do", _tell_before_it_is_durable),
    Mutant("lose the last delta", Channel, "_publish", _lose_the_last_delta),
    Mutant("forget the end's notice", Gateways, "ended", _left_out, faults=0),
    Mutant("charge a step twice", LimitState, "has_step", _charge_again, clustered=True, first=85),
    Mutant("never release a place", TenantLimiter, "release", _never_release),
    Mutant("project out of order", JetStreamFeed, "next_batch", _newest_first),
    Mutant("publish without a connection", Channel, "hold", _go_on, extras="p", first=500),
    Mutant(
        "never announce a new owner",
        Channel,
        "take_over",
        _claim_silently,
        faults=1,
        extras="p",
        first=1040,
    ),
    Mutant("keep what is not to be stored", TurnSession, "erase", _left_out, faults=0, extras="u"),
    Mutant("erase the oldest first", TurnSession, "erase", _oldest_first, extras="u", first=460),
    Mutant("call without approval", toolbox, "_needs_approval", _nothing_needs_it, extras="a"),
    Mutant("a denial approves", tool_rounds, "_approved", _whatever_was_said, extras="a"),
    Mutant(
        "two places in a conversation",
        ConversationRepository,
        "_try_append",
        _without_a_fence,
        extras="c",
    ),
    Mutant("pull the first level only", Inbox, "__init__", _first_level_only, faults=0, extras="q"),
    Mutant("refuse what has time", Inbox, "_is_overdue", _without_a_clock, faults=0, extras="q"),
    Mutant("believe the wall clock", BrokerClock, "hear", _deaf, faults=0, extras="jq"),
    Mutant("checkpoint before the views", ProjectionBatches, "take", _advance_first, first=650),
)
