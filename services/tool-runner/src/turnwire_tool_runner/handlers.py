"""One method per question: decode, ask the server, answer. Nothing asked raises out of here."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import structlog

from turnwire_chassis.telemetry.correlation import asked
from turnwire_chassis.telemetry.metrics import TOOL_CALLS_OPEN
from turnwire_contracts import subjects
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    Progress,
    Tools,
)
from turnwire_tool_runner.answers import called, fitting, redacted, refusal, uncalled, without
from turnwire_tool_runner.calling.gate import Gate
from turnwire_tool_runner.calling.measuring import CALL, LIST, measured, server_label
from turnwire_tool_runner.calling.reading import call_of, is_call_id
from turnwire_tool_runner.calling.watch import Patience, Watch
from turnwire_tool_runner.tool_servers import (
    Outcome,
    Target,
    Targets,
    ToolServerError,
    ToolServers,
    Visit,
)

log = structlog.get_logger()

MAX_LIST_S = 60.0
"""No list is waited for longer, whatever the question says."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the handlers reach."""

    servers: ToolServers
    targets: Targets
    tell: Callable[[str, bytes], Awaitable[None]]
    """Publishes to whoever listens."""
    longest_answer: Callable[[], int]
    """How many bytes the broker carries."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """Answers what the tool-runner is asked."""

    ports: Ports
    gate: Gate
    call_limit_s: float
    """No call may take longer, whatever signs of progress it gives."""
    _running: dict[str, set[Watch]] = field(default_factory=dict[str, set[Watch]])

    async def list_tools(self, body: bytes) -> bytes:
        """Answer `tools.list`."""
        try:
            return await self._list_tools(asked(TOOLS_LIST, body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return TOOLS_LIST.answer(_bad_question(str(error)))
        except Exception:
            log.exception("tools not listed")
            return TOOLS_LIST.answer(_INTERNAL)

    async def call_tool(self, body: bytes) -> bytes:
        """Answer `tools.call`."""
        try:
            return await self._call_tool(asked(TOOLS_CALL, body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return TOOLS_CALL.answer(_bad_question(str(error)))
        except Exception:
            log.exception("tool not called")
            return TOOLS_CALL.answer(_INTERNAL)

    def cancel(self, subject: str) -> None:
        """Give up a call, if it is one of ours; `subject`: what its asker has told."""
        for watch in self._running.get(subject.rpartition(".")[2], ()):
            watch.give_up()

    async def _list_tools(self, question: AskForTools) -> bytes:
        label = question.server.label
        if question.call_id and not is_call_id(question.call_id):
            return TOOLS_LIST.answer(_NO_CALL_ID)
        try:
            target = self.ports.targets.find(question)
        except ToolServerError as error:
            return TOOLS_LIST.answer(self._unlisted(error, label))
        try:
            answer = TOOLS_LIST.answer(await self._offered(question, target))
        except ToolServerError as error:
            answer = TOOLS_LIST.answer(self._unlisted(error, label))
        if len(answer) > self.ports.longest_answer():
            answer = TOOLS_LIST.answer(self._unlisted(_TOO_LONG, label))
        return redacted(TOOLS_LIST, answer, target.secrets)

    async def _offered(self, question: AskForTools, target: Target) -> Tools:
        visit = Visit(question.tenant, target)
        timeout_s = min(question.timeout_s, MAX_LIST_S)
        watch = Watch(Patience(timeout_s, timeout_s))
        with measured(LIST, server_label(question, target)) as noted:
            async with self._watched(question, watch, target), self.gate.admitted(visit, timeout_s):
                listing = await watch.over(lambda: self.ports.servers.list_tools(visit))
            noted.answered()
        allowed = target.allowed
        tools = [each for each in listing.tools if allowed is None or each.name in allowed]
        left_out = [name for name in listing.left_out if allowed is None or name in allowed]
        if left_out:
            log.warning(
                "tools left out", server=question.server.label, tools=left_out[:_MOST_NAMED]
            )
        return Tools(tools, left_out[:_MOST_NAMED])

    def _unlisted(self, error: ToolServerError, label: str) -> Refusal:
        log.info("tools not listed", server=label, code=error.code)
        return refusal(error, label)

    async def _call_tool(self, question: AskForCall) -> bytes:
        if not is_call_id(question.call_id):
            return TOOLS_CALL.answer(_NO_CALL_ID)
        try:
            target = self.ports.targets.find(question)
        except ToolServerError as error:
            return TOOLS_CALL.answer(self._uncalled(error, question))
        try:
            answer: Called | Refusal = called(await self._called(question, target))
        except ToolServerError as error:
            answer = self._uncalled(error, question)
        encoded = fitting(answer, self.ports.longest_answer())
        return redacted(TOOLS_CALL, encoded, target.secrets)

    def _uncalled(self, error: ToolServerError, question: AskForCall) -> Called | Refusal:
        label = question.server.label
        log.info("tool not called", server=label, code=error.code, call_id=question.call_id)
        return uncalled(error, label)

    async def _called(self, question: AskForCall, target: Target) -> Outcome:
        call = call_of(question, target.allowed)
        visit = Visit(question.tenant, target)
        silence_s = target.timeout_s or question.timeout_s
        watch = Watch(Patience(silence_s, self.call_limit_s))
        with measured(CALL, server_label(question, target), question.name) as noted:
            async with self._watched(question, watch, target), self.gate.admitted(visit, silence_s):
                outcome = await watch.over(lambda: self.ports.servers.call(visit, call, watch))
            noted.answered(outcome)
        return outcome

    @asynccontextmanager
    async def _watched(
        self, question: AskForTools | AskForCall, watch: Watch, target: Target
    ) -> AsyncGenerator[None]:
        """Give signs of life, and hear when nobody wants the answer any more."""
        call_id = question.call_id
        if not call_id:
            yield
            return
        in_progress = TOOL_CALLS_OPEN()

        async def tell(message: str | None) -> None:
            said = None if message is None else without(message, target.secrets)
            progress = msgspec.json.encode(Progress(call_id, said))
            await self.ports.tell(subjects.tool_progress(call_id), progress)

        self._running.setdefault(call_id, set()).add(watch)
        in_progress.inc()
        try:
            async with watch.beating(tell):
                yield
        finally:
            in_progress.dec()
            self._forget(call_id, watch)

    def _forget(self, call_id: str, watch: Watch) -> None:
        # The same call can be here twice: its asker took a runner for dead and asked again.
        watches = self._running[call_id]
        watches.discard(watch)
        if not watches:
            del self._running[call_id]


_MOST_NAMED = 20
_TOO_LONG = ToolServerError("mcp_protocol_error", "Its list is too long.")


def _bad_question(message: str) -> Refusal:
    return Refusal(
        Failure(
            http_status=400,
            type="invalid_request_error",
            code="invalid_question",
            message=message,
            param="tools",
        )
    )


_NO_CALL_ID = _bad_question("'call_id' cannot be in a subject.")
_INTERNAL = Refusal(
    Failure(
        http_status=500,
        type="server_error",
        code="tool_runner_error",
        message="The tools could not be used.",
    )
)
