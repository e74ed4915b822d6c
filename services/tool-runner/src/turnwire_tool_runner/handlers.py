"""One method per question: decode, ask the server, answer. Nothing asked raises out of here."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import structlog

from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_chassis.telemetry.metrics import TOOL_CALLS_OPEN
from turnwire_contracts import subjects
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    CallProgress,
    Tools,
)
from turnwire_tool_runner.answers import called, fitting, redacted, refusal, uncalled, without
from turnwire_tool_runner.calling.call_limiter import CallLimiter
from turnwire_tool_runner.calling.call_supervisor import CallSupervisor, SupervisionTimeouts
from turnwire_tool_runner.calling.measuring import CALL, LIST, measured, server_label
from turnwire_tool_runner.calling.reading import call_of, is_call_id
from turnwire_tool_runner.tool_servers import (
    Target,
    Targets,
    TenantServer,
    ToolOutcome,
    ToolServerError,
    ToolServers,
)

log = structlog.get_logger()

MAX_LIST_S = 60.0
"""No list is waited for longer, whatever the question says."""


@dataclass(frozen=True, slots=True)
class ToolRunnerPorts:
    """What the handlers need from outside."""

    servers: ToolServers
    targets: Targets
    publish: Callable[[str, bytes], Awaitable[None]]
    """Publishes a body on a subject."""
    longest_answer: Callable[[], int]
    """How many bytes an answer may have."""


@dataclass(frozen=True, slots=True)
class ToolHandlers:
    """Answers what the tool-runner is asked."""

    ports: ToolRunnerPorts
    call_limiter: CallLimiter
    call_limit_s: float
    """No call may take longer, whatever signs of progress it gives."""
    _running: dict[str, set[CallSupervisor]] = field(default_factory=dict[str, set[CallSupervisor]])

    async def list_tools(self, body: bytes) -> bytes:
        """Answer `tools.list`."""
        try:
            return await self._list_tools(begin_answering(TOOLS_LIST, body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return TOOLS_LIST.encode_answer(_bad_question(str(error)))
        except Exception:
            log.exception("tools not listed")
            return TOOLS_LIST.encode_answer(_INTERNAL)

    async def call_tool(self, body: bytes) -> bytes:
        """Answer `tools.call`."""
        try:
            return await self._call_tool(begin_answering(TOOLS_CALL, body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return TOOLS_CALL.encode_answer(_bad_question(str(error)))
        except Exception:
            log.exception("tool not called")
            return TOOLS_CALL.encode_answer(_INTERNAL)

    def cancel(self, subject: str) -> None:
        """Cancel a call, if it runs here; `subject` ends in its id."""
        for watch in self._running.get(subject.rpartition(".")[2], ()):
            watch.give_up()

    async def _list_tools(self, question: AskForTools) -> bytes:
        label = question.server.label
        if question.call_id and not is_call_id(question.call_id):
            return TOOLS_LIST.encode_answer(_NO_CALL_ID)
        try:
            target = self.ports.targets.find(question)
        except ToolServerError as error:
            return TOOLS_LIST.encode_answer(self._unlisted(error, label))
        try:
            answer = TOOLS_LIST.encode_answer(await self._offered(question, target))
        except ToolServerError as error:
            answer = TOOLS_LIST.encode_answer(self._unlisted(error, label))
        if len(answer) > self.ports.longest_answer():
            answer = TOOLS_LIST.encode_answer(self._unlisted(_TOO_LONG, label))
        return redacted(TOOLS_LIST, answer, target.secrets)

    async def _offered(self, question: AskForTools, target: Target) -> Tools:
        visit = TenantServer(question.tenant, target)
        timeout_s = min(question.timeout_s, MAX_LIST_S)
        watch = CallSupervisor(SupervisionTimeouts(timeout_s, timeout_s))
        with measured(LIST, server_label(question, target)) as noted:
            async with (
                self._watched(question, watch, target),
                self.call_limiter.admitted(visit, timeout_s),
            ):
                await watch.prepared(self.ports.servers.prepare())
                listing = await watch.run(lambda: self.ports.servers.list_tools(visit))
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
            return TOOLS_CALL.encode_answer(_NO_CALL_ID)
        try:
            target = self.ports.targets.find(question)
        except ToolServerError as error:
            return TOOLS_CALL.encode_answer(self._uncalled(error, question))
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

    async def _called(self, question: AskForCall, target: Target) -> ToolOutcome:
        call = call_of(question, target.allowed)
        visit = TenantServer(question.tenant, target)
        silence_s = target.timeout_s or question.timeout_s
        watch = CallSupervisor(SupervisionTimeouts(silence_s, self.call_limit_s))
        with measured(CALL, server_label(question, target), question.name) as noted:
            async with (
                self._watched(question, watch, target),
                self.call_limiter.admitted(visit, silence_s),
            ):
                await watch.prepared(self.ports.servers.prepare())
                outcome = await watch.run(lambda: self.ports.servers.call(visit, call, watch))
            noted.answered(outcome)
        return outcome

    @asynccontextmanager
    async def _watched(
        self, question: AskForTools | AskForCall, watch: CallSupervisor, target: Target
    ) -> AsyncGenerator[None]:
        """Send heartbeats of the call, and let `cancel` find it."""
        call_id = question.call_id
        if not call_id:
            yield
            return
        in_progress = TOOL_CALLS_OPEN()

        async def send(message: str | None) -> None:
            text = None if message is None else without(message, target.secrets)
            progress = msgspec.json.encode(CallProgress(call_id, text))
            await self.ports.publish(subjects.tool_progress(call_id), progress)

        self._running.setdefault(call_id, set()).add(watch)
        in_progress.inc()
        try:
            async with watch.heartbeats(send):
                yield
        finally:
            in_progress.dec()
            self._forget(call_id, watch)

    def _forget(self, call_id: str, watch: CallSupervisor) -> None:
        # The same call can be here twice: its asker took a runner for dead and asked again.
        watches = self._running[call_id]
        watches.discard(watch)
        if not watches:
            del self._running[call_id]


_MOST_NAMED = 20
_TOO_LONG = ToolServerError("mcp_protocol_error", "Its list is too long.")


def _bad_question(message: str) -> Refusal:
    return Refusal(failure("invalid_question", message, "tools"))


_NO_CALL_ID = _bad_question("'call_id' cannot be in a subject.")
_INTERNAL = Refusal(failure("tool_runner_error"))
