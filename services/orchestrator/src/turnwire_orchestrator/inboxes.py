"""The queues that an orchestrator takes turns from, and what it tells others of them."""

from collections.abc import Sequence

import structlog
from msgspec import MsgspecError
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from turnwire_chassis.jetstream.inbox import Inbox
from turnwire_chassis.jetstream.inbox_watch import QueueLength, Report
from turnwire_chassis.jetstream.topology import heartbeat_s, turn_consumer
from turnwire_chassis.telemetry import metrics
from turnwire_contracts import queues, subjects
from turnwire_contracts.notices.queue_state import QueueState
from turnwire_orchestrator.clients.usage_publisher import Gateways
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.observing.queues import measure, queue_state
from turnwire_orchestrator.settings import OrchestratorSettings

log = structlog.get_logger()


async def turn_inboxes(
    settings: OrchestratorSettings, client: Client, jetstream: JetStreamContext, claim: str
) -> tuple[Inbox, Inbox]:
    """Give the inbox of foreground turns and that of background turns."""
    metrics.PLACES("foreground").set(settings.max_turns)
    metrics.PLACES("background").set(settings.max_background_turns)
    gateways = Gateways(client)
    background_free = 0

    def inbox(of: Sequence[queues.Queue], report: Report) -> Inbox:
        consumers = [turn_consumer(queue, settings.turn_lease_s) for queue in of]
        return Inbox(client, jetstream, consumers, subjects.TURNS_STREAM, report)

    async def foreground(lengths: Sequence[QueueLength], free: int) -> None:
        measure("foreground", lengths)
        await gateways.queues_measured(queue_state(claim, lengths, free, background_free))

    async def background(lengths: Sequence[QueueLength], free: int) -> None:
        nonlocal background_free
        background_free = free
        measure("background", lengths)

    inboxes = inbox(queues.FOREGROUND, foreground), inbox(queues.BACKGROUND, background)
    await _give_way(client, claim, *inboxes)
    return inboxes


async def run_foreground(
    inbox: Inbox, handlers: TurnHandlers, settings: OrchestratorSettings
) -> None:
    """Hand out foreground turns, which are refused when they wait too long."""
    await inbox.run(
        handlers.requested,
        settings.max_turns,
        heartbeat_s(settings.turn_lease_s),
        settings.max_queue_s,
        handlers.is_first,
    )


async def run_background(
    inbox: Inbox, handlers: TurnHandlers, settings: OrchestratorSettings
) -> None:
    """Hand out background turns, which wait as long as it takes."""
    every_s = heartbeat_s(settings.turn_lease_s)
    await inbox.run(handlers.requested, settings.max_background_turns, every_s)


async def _give_way(client: Client, claim: str, foreground: Inbox, background: Inbox) -> None:
    """Leave what is held ahead to another orchestrator that has places for it."""

    async def on_state(message: Msg) -> None:
        try:
            state = QueueState.decode(message.data)
        except MsgspecError:
            log.warning("state of queues not read")
            return
        if state.orchestrator != claim:
            await foreground.give_way(state.free)
            await background.give_way(state.background_free)

    await client.subscribe(subjects.QUEUE_STATE, cb=on_state)
