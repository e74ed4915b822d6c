"""The tool-runners, asked over the broker."""

import asyncio
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from turnwire_chassis.crash_points import reached
from turnwire_chassis.telemetry import spans
from turnwire_chassis.telemetry.correlation import correlated
from turnwire_contracts import subjects
from turnwire_contracts.errors.catalogue import failure
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
from turnwire_orchestrator.clients.heartbeats import Heartbeat, Heartbeats
from turnwire_orchestrator.failures import TurnFailedError

_ASK_AGAIN_S = 0.2
_LONGEST_S = 3600.0

QuestionT = TypeVar("QuestionT", AskForTools, AskForCall)
AnswerT = TypeVar("AnswerT")


class ToolCallTimeouts(Struct, frozen=True):
    """With tool-runners, in seconds; how long a tool may take is for them to know."""

    silence_s: float = 5.0
    """A runner says every second or so that it works on a question; one that is silent is lost."""
    back_within_s: float = 15.0
    """How long a question waits for a runner: one that falls again and again is started 10 s later.

    The turn's own time ends it earlier. What was not asked yet cannot be done twice.
    """


class ToolRunners:
    """`ToolServers` by request-reply."""

    def __init__(
        self, client: Client, list_timeout_s: float, patience: ToolCallTimeouts | None = None
    ) -> None:
        """Wait at most `list_timeout_s` for what a server offers."""
        self._client = client
        self._heartbeats = Heartbeats(client)
        self._list_timeout_s = list_timeout_s
        self._patience = patience or ToolCallTimeouts()

    async def tools(self, question: AskForTools) -> Tools:
        """See `ToolServers.tools`."""
        question = replace(question, timeout_s=self._list_timeout_s)
        answer = await self._watched(TOOLS_LIST, question, self._patience.back_within_s)
        if answer is None:
            # Listing changes nothing: what a lost runner was at, the next one does.
            answer = await self._watched(TOOLS_LIST, question, self._patience.back_within_s)
        match answer:
            case Tools():
                return answer
            case Refusal():
                raise TurnFailedError(answer.failure)
            case None:
                raise TurnFailedError(_no_tool_runner())

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """See `ToolServers.call`."""
        return await self._watched(TOOLS_CALL, question, self._patience.back_within_s)

    async def _watched(
        self, query: Query[QuestionT, AnswerT], question: QuestionT, patience_s: float
    ) -> AnswerT | Refusal | None:
        """Ask as long as the runner that has the question lives; `None` when it is lost."""
        await self._heartbeats.hear()
        loop = asyncio.get_running_loop()
        with self._heartbeats.of(question.call_id) as sign:
            asking = asyncio.create_task(self._ask(query, question, patience_s, sign))
            try:
                while not asking.done():
                    left_s = sign.at + self._patience.silence_s - loop.time()
                    if left_s <= 0:
                        return None
                    await asyncio.wait({asking}, timeout=left_s)
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
        sign: Heartbeat,
    ) -> AnswerT | Refusal | None:
        """Ask until a tool-runner is there; one gets the question, once."""
        with spans.asking(query.subject):
            return await self._ask_each(
                query, query.encode_question(correlated(question)), patience_s, sign
            )

    async def _ask_each(
        self, query: Query[QuestionT, AnswerT], body: bytes, patience_s: float, sign: Heartbeat
    ) -> AnswerT | Refusal | None:
        until = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                reached("ask.before", query.subject)
                reply = await self._client.request(query.subject, body, timeout=_LONGEST_S)
                reached("ask.after", query.subject)
            except NoRespondersError:
                if asyncio.get_running_loop().time() >= until:
                    return Refusal(_no_tool_runner())
                # The broker has spoken: no tool-runner has the question that could be silent.
                sign.give()
                await asyncio.sleep(_ASK_AGAIN_S)
            except NatsError:
                return None
            else:
                return query.decode_answer(reply.data)


def _no_tool_runner() -> Failure:
    return failure("tool_runner_unavailable")
