"""The tool-runners, asked over the broker."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from turnwire_chassis.broker import PATIENCE_S
from turnwire_contracts import subjects
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import Query, Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    Tools,
)
from turnwire_orchestrator.ports import TurnFailedError

_ASK_AGAIN_S = 0.2
_LONGEST_S = 3600.0

QuestionT = TypeVar("QuestionT", AskForTools, AskForCall)
AnswerT = TypeVar("AnswerT")


class Patience(Struct, frozen=True):
    """With tool-runners, in seconds; how long a tool may take is for them to know."""

    silence_s: float = 5.0
    """A runner says every second or so that it works on a question; one that is silent is lost."""
    back_within_s: float = 15.0
    """How long a call waits for a runner: one that falls again and again is started 10 s later.

    The turn's own time ends it earlier. What was not asked yet cannot be done twice.
    """


class ToolRunners:
    """`ToolServers` by request-reply."""

    def __init__(
        self, client: Client, list_timeout_s: float, patience: Patience | None = None
    ) -> None:
        """Wait at most `list_timeout_s` for what a server offers."""
        self._client = client
        self._list_timeout_s = list_timeout_s
        self._patience = patience or Patience()

    async def tools(self, question: AskForTools) -> Tools:
        """See `ToolServers.tools`."""
        question = replace(question, timeout_s=self._list_timeout_s)
        answer = await self._watched(TOOLS_LIST, question, PATIENCE_S)
        if answer is None:
            # Listing changes nothing: what a lost runner was at, the next one does.
            answer = await self._watched(TOOLS_LIST, question, self._patience.back_within_s)
        match answer:
            case Tools():
                return answer
            case Refusal():
                raise TurnFailedError(answer.failure)
            case None:
                raise TurnFailedError(_nobody())

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """See `ToolServers.call`."""
        return await self._watched(TOOLS_CALL, question, self._patience.back_within_s)

    async def _watched(
        self, query: Query[QuestionT, AnswerT], question: QuestionT, patience_s: float
    ) -> AnswerT | Refusal | None:
        """Ask as long as the runner that has the question lives; `None` when it is lost."""
        async with self._listening(question.call_id) as heard:
            asking = asyncio.create_task(self._ask(query, question, patience_s, heard))
            try:
                while not asking.done():
                    listening = asyncio.create_task(heard.wait())
                    await asyncio.wait(
                        {asking, listening},
                        timeout=self._patience.silence_s,
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

    async def _ask(
        self,
        query: Query[QuestionT, AnswerT],
        question: QuestionT,
        patience_s: float,
        heard: asyncio.Event,
    ) -> AnswerT | Refusal | None:
        """Ask until somebody is there; whoever is gets the question once."""
        body = query.ask(question)
        until = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                reply = await self._client.request(query.subject, body, timeout=_LONGEST_S)
            except NoRespondersError:
                if asyncio.get_running_loop().time() >= until:
                    return Refusal(_nobody())
                # The broker has spoken: nobody has the question who could be silent.
                heard.set()
                await asyncio.sleep(_ASK_AGAIN_S)
            except NatsError:
                return None
            else:
                return query.answered(reply.data)

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
