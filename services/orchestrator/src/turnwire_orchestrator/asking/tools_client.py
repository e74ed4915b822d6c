"""The tool-runners, asked over the broker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from turnwire_chassis.broker import PATIENCE_S, NobodyAnswersError, ask_patiently
from turnwire_contracts import subjects
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    Tool,
    Tools,
)
from turnwire_orchestrator.ports import TurnFailedError

_ASK_AGAIN_S = 0.2
_SILENT_FOR_S = 5.0
"""A runner says every second or so that it works on a call; one that is silent is lost.

How long a tool may take is for the runner to know (`AskForCall.timeout_s`).
"""
_OVERTIME_S = 5.0
"""What is waited beyond a server's own limit: its runner knows best when it is over."""
_LONGEST_S = 3600.0


class ToolRunners:
    """`ToolServers` by request-reply."""

    def __init__(self, client: Client, list_timeout_s: float) -> None:
        """Wait at most `list_timeout_s` for what a server offers."""
        self._client = client
        self._list_timeout_s = list_timeout_s

    async def tools(self, question: AskForTools) -> list[Tool]:
        """See `ToolServers.tools`."""
        question = replace(question, timeout_s=self._list_timeout_s)
        limit = self._list_timeout_s + _OVERTIME_S
        try:
            answer = await ask_patiently(self._client, TOOLS_LIST, question, limit)
        except NobodyAnswersError as error:
            raise TurnFailedError(_nobody()) from error
        if isinstance(answer, Tools):
            return answer.tools
        raise TurnFailedError(answer.failure)

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """See `ToolServers.call`."""
        async with self._listening(question.call_id) as heard:
            asking = asyncio.create_task(self._ask(question))
            try:
                while not asking.done():
                    listening = asyncio.create_task(heard.wait())
                    await asyncio.wait(
                        {asking, listening},
                        timeout=_SILENT_FOR_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    listening.cancel()
                    if not asking.done() and not heard.is_set():
                        return None
                    heard.clear()
                return asking.result()
            finally:
                if not asking.done():
                    asking.cancel()
                    await self._client.publish(subjects.tool_cancel(question.call_id), b"")

    async def _ask(self, question: AskForCall) -> Called | Refusal | None:
        """Ask until somebody is there; whoever is gets the question once."""
        body = TOOLS_CALL.ask(question)
        until = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                reply = await self._client.request(TOOLS_CALL.subject, body, timeout=_LONGEST_S)
            except NoRespondersError:
                if asyncio.get_running_loop().time() >= until:
                    return Refusal(_nobody())
                await asyncio.sleep(_ASK_AGAIN_S)
            except NatsError:
                return None
            else:
                return TOOLS_CALL.answered(reply.data)

    @asynccontextmanager
    async def _listening(self, call_id: str) -> AsyncGenerator[asyncio.Event]:
        heard = asyncio.Event()

        async def on_progress(_: Msg) -> None:
            heard.set()

        subscription = await self._client.subscribe(subjects.tool_progress(call_id), cb=on_progress)
        try:
            yield heard
        finally:
            await subscription.unsubscribe()


def _nobody() -> Failure:
    return Failure(
        http_status=503,
        type="server_error",
        code="tool_runner_unavailable",
        message="No tool-runner answers. Try again later.",
    )
