"""Subject → handler: `tools.list` → `Handlers.list_tools`; and how the service comes and goes."""

import asyncio
import logging
from contextlib import suppress

import structlog
from faststream.nats import NatsBroker, NatsMessage
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from turnwire_chassis.broker import connect
from turnwire_chassis.health import HealthServer
from turnwire_contracts.queries import TOOLS_LIST
from turnwire_tool_runner.bounded_tasks import BoundedTasks
from turnwire_tool_runner.handlers import Handlers
from turnwire_tool_runner.mcp_client import McpToolServers
from turnwire_tool_runner.settings import ToolRunnerSettings

SERVICE = "tool-runner"

log = structlog.get_logger()

_MAX_VISITS = 64
_FINISH_WITHIN_S = 0.2
_STOP_WITHIN_S = 0.3
# Headers count as payload too.
_HEADER_BYTES = 1024


class ToolRunner:
    """The tool-runner on the broker: in its queue group from `start` to `stop`."""

    def __init__(self, settings: ToolRunnerSettings) -> None:
        """Bind each subject to its handler."""
        self._servers = McpToolServers()
        self._handlers = Handlers(self._servers, self._longest_answer)
        self._broker = _Broker(settings.nats_url)
        self._subscribed = False
        # A visit waits for its server nearly all the time, so many overlap; what is above the bound
        # waits in this process. Not FastStream's max_workers: it drops what it has taken and not
        # yet begun when it stops, and costs three times as much.
        self._visits = BoundedTasks(_MAX_VISITS)
        self._questions = self._broker.subscriber(
            TOOLS_LIST.subject, queue=TOOLS_LIST.queue, decoder=_raw, no_reply=True
        )
        self._questions(self._take)

    async def start(self) -> None:
        """Subscribe; waits for the broker as long as it takes."""
        await self._broker.start()
        # Only now does the broker know of the subscription.
        await self._broker.connection.flush()
        self._subscribed = True

    async def reachable(self) -> str | None:
        """Tell what keeps questions from arriving here, as a health check."""
        if not self._subscribed:
            return "not subscribed yet"
        return None if self._broker.connection.is_connected else "not connected to the broker"

    async def stop(self) -> None:
        """Leave the queue group, then finish what was asked; ends within a second."""
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_FINISH_WITHIN_S):
                await self._leave()
                await self._visits.finish()
        self._visits.cancel()
        with suppress(TimeoutError, NatsError):
            async with asyncio.timeout(_STOP_WITHIN_S):
                await self._broker.stop()
                await self._servers.aclose()

    async def _leave(self) -> None:
        # FastStream alone would stay in the group while it waits for running handlers, and drop
        # what arrives meanwhile; the askers would wait for nothing.
        subscription, self._questions.subscription = self._questions.subscription, None
        if isinstance(subscription, Subscription):
            await subscription.drain()

    async def _take(self, question: Msg) -> None:
        async def visit() -> None:
            answer = await self._handlers.list_tools(question.data)
            if question.reply:
                await question.respond(answer)

        await self._visits.start(visit)

    def _longest_answer(self) -> int:
        return self._broker.connection.max_payload - _HEADER_BYTES


class _Broker(NatsBroker):
    """FastStream on our own connection, which waits for the broker and reconnects for ever.

    FastStream's own gives up for good on errors that pass, like `maximum connections exceeded`.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, apply_types=False, logger=logging.getLogger(__name__))
        self._url = url

    async def _connect(self) -> Client:
        connection = await connect(self._url, SERVICE)
        self.config.connect(connection)
        return connection


async def _raw(message: NatsMessage) -> Msg:
    # FastStream would try a body without a content type as JSON; the handler reads it, once.
    return message.raw_message


async def serve(settings: ToolRunnerSettings) -> None:
    """Answer until cancelled."""
    runner = ToolRunner(settings)
    health = HealthServer(settings.health_host, settings.health_port, {"broker": runner.reachable})
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.run())
            await runner.start()
            log.info("tool-runner answers")
    finally:
        await runner.stop()
