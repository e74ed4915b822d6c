"""One owner's work on one turn: ask what it needs, do it, append, ask again, tell the end.

Recovery is not a case of its own: a redelivered turn starts the same loop further down its log.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import TypeVar, assert_never

from msgspec.structs import replace

from turnwire_contracts.events import Failure, Requested, Status
from turnwire_contracts.react import (
    CallTools,
    CloseCancelled,
    Dequeue,
    Erase,
    ListTools,
    Refuse,
    ReturnToClient,
    Sample,
    ScreenInput,
    Step,
    react,
)
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_contracts.turn_state import ClosedTurn, Sampling
from turnwire_contracts.webhooks.delivery import deliveries_of
from turnwire_contracts.wire.refusals import answer_lost, content_policy_failure
from turnwire_contracts.wire.stream import count_frames
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import (
    Cancel,
    Command,
    Fail,
    Finish,
    Start,
    TakeOver,
)
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.guarding.guard_session import GuardSession
from turnwire_orchestrator.guarding.output_guard import OutputGuard
from turnwire_orchestrator.ports import TurnRunnerPorts
from turnwire_orchestrator.prompting.compacting import compacted
from turnwire_orchestrator.prompting.history import PromptContext
from turnwire_orchestrator.prompting.sampled import sampled
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_orchestrator.turn_runner.recovery import seen_items
from turnwire_orchestrator.turn_runner.sampling import ModelSampler, context_of
from turnwire_orchestrator.turn_runner.tool_rounds import ToolRounds
from turnwire_orchestrator.turn_runner.turn_session import TurnSession

DoneT = TypeVar("DoneT")


class TurnRunner:
    """Takes one turn from where its log stands to its end."""

    def __init__(
        self, ports: TurnRunnerPorts, session: TurnSession, request: Requested, *, first_owner: bool
    ) -> None:
        """`first_owner`: no other process can have worked on this turn before."""
        self.response_id = request.response_id
        self.epoch = 1 if first_owner else session.claims + 2
        self.channel = Channel(ports.output, request, self.epoch)
        self._ports = ports
        self._session = session
        self._request = request
        self._first_owner = first_owner
        self._context: PromptContext | None = None
        self._taken_at = ports.now_ms()
        self._history_ms: int | None = None
        self._working: asyncio.Task[object] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Stop what may take long: the turn is to be cancelled.

        Every other step is short, and `cancel_requested` stands in the log behind it.
        """
        if self._working is not None and not self._cancelled:
            self._working.cancel()
        self._cancelled = True

    async def is_owner(self) -> bool:
        """Tell whether no other owner has the turn in the log. Raises `LogUnavailableError`."""
        return not await self._session.is_lost()

    async def run(self, *, give_up: Failure | None = None) -> None:
        """Drive to the end; with `give_up` the end is that failure.

        Raises `OwnershipLostError` when another owner has the turn, `LogUnavailableError`.
        """
        if not self._first_owner and self._session.closed is None:
            await self._take_over()
        if give_up is not None:
            await self._session.carry_out(self._failed(give_up))
        while (step := react(self._session.turn)) is not None and not isinstance(step, Erase):
            try:
                command = await self._do(step)
            except TurnFailedError as error:
                command = self._failed(error.failure)
            if command is not None:
                await self._session.carry_out(command)
        await self._tell_end()
        await self._tell_webhook()
        if isinstance(step, Erase):
            await self._session.erase()

    async def tell_end_again(self) -> None:
        """Tell the end of a turn that a lost owner closed but may not have told."""
        turn = self._session.closed
        if turn is None:
            return
        published = await self.channel.published()
        if turn.closed.stored:
            await self.channel.end_again(turn, published)
        else:
            await self.channel.end_lost(turn, len(published), answer_lost())
        await self._tell_webhook()
        if not turn.closed.stored:
            await self._session.erase()

    async def _do(self, step: Step) -> Command | None:  # noqa: PLR0911 -- one for each step
        """Do a step; gives what is left to be recorded of it. Raises `TurnFailedError`."""
        match step:
            case Dequeue():
                return Start(at=self._ports.now_ms())
            case ScreenInput():
                return await self._stoppable(self._screen_input(), self._stopped)
            case ListTools():
                return await self._stoppable(self._list_tools(), self._stopped)
            case CallTools():
                return await self._stoppable(self._call_tools(step), self._stopped)
            case Sample():
                return await self._sample()
            case ReturnToClient():
                return self._stopped("completed")
            case Refuse():
                return self._refuse(step)
            case CloseCancelled():
                return Cancel(at=self._ports.now_ms(), instructions=self._instructions)
            case Erase():
                raise TypeError("an ended turn is erased after its end is told")
            case _:
                assert_never(step)

    async def _screen_input(self) -> Command:
        return await GuardSession(self._ports, self._request).input(self._read_context)

    async def _list_tools(self) -> None:
        context = await self._read_context()
        await self._session.carry_out(await self._rounds.prepare(self._request, context))
        await self.channel.flush()

    async def _call_tools(self, step: CallTools) -> None:
        context = await self._read_context()
        await self._rounds.call(step, self._request, context.history)

    async def _sample(self) -> Command:
        context = await self._read_context()
        if self._request.background:
            # Nothing can refuse it any more, and its reader waits for the id.
            await self.channel.open(context.instructions)
        turn = self._session.turn
        if isinstance(turn, Sampling) and turn.samples >= self._ports.policy.most_rounds:
            return replace(self._stopped("incomplete"), incomplete_reason="max_tool_rounds")
        guard = self._output_guard()
        sampler = self._sampler(context, guard)
        finish = await self._stoppable(sampler.run(context), sampler.stopped)
        if (record := finish.sample) is not None:
            times = {"taken_at": self._taken_at, "history_ms": self._history_ms}
            finish = replace(finish, sample=replace(record, **times))
        if guard is not None:
            finish = await guard.finish(finish, context.history)
        return compacted(finish, self._request) if self._request.compact else finish

    def _refuse(self, step: Refuse) -> Command:
        failure = content_policy_failure(step.violations)
        return Fail(at=self._ports.now_ms(), failure=failure, keep_content=False)

    async def _stoppable(
        self,
        work: Coroutine[None, None, DoneT],
        stopped: Callable[[Status, Failure | None], Finish],
    ) -> DoneT | Finish:
        """Do work that may take long; cancelling the turn, or its time limit, stops it."""
        limit, left = self._session.time()
        if self._cancelled:
            work.close()
            return self._stopped("cancelled")
        self._working = asyncio.current_task()
        try:
            async with asyncio.timeout(left):
                return await work
        except TimeoutError:
            turn = self._session.turn
            if isinstance(turn, Sampling) and turn.samples:
                # In the middle of its tools: what was done and said stays.
                return replace(stopped("incomplete", None), incomplete_reason="max_tool_time")
            return stopped("failed", failures.turn_too_long(limit))
        except asyncio.CancelledError:
            if not self._cancelled or self._working is None:
                raise
            self._working.uncancel()
            return stopped("cancelled", None)
        finally:
            self._working = None

    def _stopped(self, status: Status, failure: Failure | None = None) -> Finish:
        at, instructions = self._ports.now_ms(), self._instructions
        return Finish(at, status, [], [], instructions=instructions, failure=failure)

    def _failed(self, failure: Failure) -> Fail:
        return Fail(self._ports.now_ms(), failure, instructions=self._instructions)

    def _sampler(self, context: PromptContext, guard: OutputGuard | None) -> ModelSampler:
        turn, request, past = self._session.turn, self._request, context.history
        so_far = turn.so_far if isinstance(turn, Sampling) else OutputSoFar()
        box = self._rounds.box(request, past) if uses_mcp(request) else None
        assembler = self.channel.assembler(len(so_far.items), box)
        offered, said = sampled(request, so_far, box)
        sampler = ModelSampler(self._ports, offered, self.channel, said, assembler)
        sampler.prefer(turn.server if isinstance(turn, Sampling) else None)
        if guard is not None:
            unseen = self.channel.assembler(len(so_far.items), box, shown=False)
            sampler.hold_back(guard.buffer(assembler, unseen, past))
        return sampler

    def _output_guard(self) -> OutputGuard | None:
        """Give what judges the model's output in this turn, if anything does."""
        turn = self._session.turn
        check = turn.output_check if isinstance(turn, Sampling) else None
        if check in (None, "unchecked"):
            return None
        return OutputGuard(GuardSession(self._ports, self._request), self._request, check)

    @cached_property
    def _rounds(self) -> ToolRounds:
        return ToolRounds(self._ports, self._session, self.channel)

    @property
    def _instructions(self) -> str | None:
        """What the stream was opened with, if it was."""
        return self._context.instructions if self._context else None

    async def _read_context(self) -> PromptContext:
        """Give the history and the instructions, which are read once."""
        if self._context is None:
            began = self._ports.now_ms()
            self._context = await context_of(self._request, self._ports)
            self._history_ms = self._ports.now_ms() - began
        return self._context

    async def _take_over(self) -> None:
        """Claim the turn, keep what was seen of the lost sample, and finish its open item."""
        frames = await self.channel.take_over()
        turn = self._session.turn
        durable = 0
        if isinstance(turn, Sampling) and frames:
            durable = count_frames(turn.request, turn.so_far)
        response_id = self._request.response_id
        items, cuts, runs = seen_items(response_id, frames[durable:], _told(turn))
        if items and (guard := self._output_guard()) is not None:
            items = await guard.seen(items, self._read_context)
        at, claim = self._ports.now_ms(), self._session.claim
        await self._session.carry_out(TakeOver(at, claim, abandoned=items, cuts=cuts, runs=runs))
        turn = self._session.turn
        if isinstance(turn, Sampling) and (frames or turn.so_far.items):
            await self._resume(turn, len(frames))

    async def _resume(self, turn: Sampling, published: int) -> None:
        failure = None
        try:
            await self._read_context()
        except TurnFailedError as error:
            failure = error.failure
        await self.channel.resume(self._instructions, turn.so_far, published)
        if failure is not None:
            await self._session.carry_out(self._failed(failure))

    async def _tell_end(self) -> None:
        turn = self._session.turn
        if not isinstance(turn, ClosedTurn):
            return
        self._ports.histories.remember(turn, self._context.history if self._context else None)
        await self.channel.end(turn)

    async def _tell_webhook(self) -> None:
        """Have a webhook told; only what is kept is confirmed. Raises `LogUnavailableError`."""
        turn = self._session.closed
        if turn is not None:
            await self._ports.webhooks.put(deliveries_of(turn, self._session.closed_at))


def _told(turn: object) -> int:
    return len(turn.so_far.items) if isinstance(turn, Sampling) else 0
