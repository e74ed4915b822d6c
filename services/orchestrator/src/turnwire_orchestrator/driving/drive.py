"""One owner's work on one turn: ask what it needs, do it, append, ask again, tell the end.

Recovery is not a case of its own: a redelivered turn starts the same loop further down its log.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar, assert_never

from msgspec.structs import replace

from turnwire_contracts.events import Failure, Item, Requested, Status
from turnwire_contracts.rounds.told import Told
from turnwire_contracts.rounds.tool_calls import uses_mcp
from turnwire_contracts.turn import ClosedTurn, Sampling
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
from turnwire_orchestrator.deciding.react import (
    CallTools,
    Erase,
    GiveUp,
    HandOver,
    Leave,
    ListTools,
    Refuse,
    Sample,
    Screen,
    Step,
    react,
)
from turnwire_orchestrator.driving.channel import Channel
from turnwire_orchestrator.driving.context import Context, context_of
from turnwire_orchestrator.driving.owned_turn import OwnedTurn
from turnwire_orchestrator.driving.recovery import seen_items
from turnwire_orchestrator.driving.sampling import Sampler
from turnwire_orchestrator.driving.tool_rounds import ToolRounds
from turnwire_orchestrator.guarding.holding import HeldAssembler
from turnwire_orchestrator.guarding.judging import HeldBack, Judging, output_check
from turnwire_orchestrator.ports import Ports, TurnFailedError
from turnwire_orchestrator.prompting.compacting import asking_for_summary, compacted
from turnwire_orchestrator.prompting.history import Past
from turnwire_orchestrator.prompting.toolbox import offering

DoneT = TypeVar("DoneT")


class Drive:
    """Takes one turn from where its log stands to its end."""

    def __init__(
        self, ports: Ports, owned: OwnedTurn, request: Requested, *, first_owner: bool
    ) -> None:
        """`first_owner`: nobody can have worked on this turn before."""
        self.epoch = 1 if first_owner else owned.claims + 2
        self.channel = Channel(ports.output, request, self.epoch)
        self._ports = ports
        self._owned = owned
        self._request = request
        self._first_owner = first_owner
        self._judging = Judging(ports, request)
        self._rounds = ToolRounds(ports, owned, self.channel)
        self._began = asyncio.get_running_loop().time()
        self._known: Context | None = None
        self._working: asyncio.Task[object] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Stop what may take long: somebody no longer wants the turn.

        Every other step is short, and the wish itself stands in the log behind it.
        """
        if self._working is not None and not self._cancelled:
            self._working.cancel()
        self._cancelled = True

    async def run(self, *, give_up: Failure | None = None) -> None:
        """Drive to the end; with `give_up` the end is that failure.

        Raises `DisownedError` when another owner has the turn, `LogUnavailableError`.
        """
        if not self._first_owner and self._owned.closed is None:
            await self._take_over()
        if give_up is not None:
            await self._owned.carry_out(self._failed(give_up))
        while (step := react(self._owned.turn)) is not None and not isinstance(step, Erase):
            if (command := await self._do(step)) is not None:
                await self._owned.carry_out(command)
        await self._tell_end()
        if isinstance(step, Erase):
            await self._owned.erase()

    async def tell_end_again(self) -> None:
        """Tell the end of a turn that a lost owner closed but may not have told."""
        turn = self._owned.closed
        if turn is None:
            return
        published = len(await self.channel.published())
        if turn.closed.stored:
            await self.channel.end_again(turn, published)
            return
        await self.channel.end_lost(turn, published, answer_lost())
        await self._owned.erase()

    async def _do(self, step: Step) -> Command | None:
        """Do a step; gives what is left to be recorded of it."""
        try:
            return await self._attempt_step(step)
        except TurnFailedError as error:
            return self._failed(error.failure)

    async def _attempt_step(self, step: Step) -> Command | None:  # noqa: PLR0911 -- one for each step
        now = self._ports.now_ms
        match step:
            case Leave():
                return Start(at=now())
            case Screen():
                judged = self._judging.input(self._context)
                return await self._stoppable(judged, self._stopped)
            case ListTools():
                return await self._stoppable(self._list_tools(), self._stopped)
            case CallTools():
                return await self._stoppable(self._call_tools(step), self._stopped)
            case Sample():
                return await self._sample()
            case HandOver():
                return self._stopped("completed")
            case Refuse():
                failure = content_policy_failure(step.violations)
                return Fail(at=now(), failure=failure, keep_content=False)
            case GiveUp():
                return Cancel(at=now(), instructions=self._instructions)
            case Erase():
                raise TypeError("an ended turn is erased after its end is told")
            case _:
                assert_never(step)

    async def _list_tools(self) -> None:
        past, instructions = await self._context()
        await self._owned.carry_out(await self._rounds.prepare(self._request, past, instructions))
        await self.channel.flush()

    async def _call_tools(self, step: CallTools) -> None:
        past, _ = await self._context()
        await self._rounds.call(step, self._request, past)

    async def _sample(self) -> Command | None:
        past, instructions = await self._context()
        if self._request.background:
            # Nothing can refuse it any more, and its reader waits for the id.
            await self.channel.open(instructions)
        turn = self._owned.turn
        if isinstance(turn, Sampling) and turn.samples >= self._ports.policy.most_rounds:
            return replace(self._stopped("incomplete"), incomplete_reason="max_tool_rounds")
        sampler = self._sampler(past)
        finish = await self._stoppable(sampler.run(past, instructions), sampler.stopped)
        if self._is_checked_at_end:
            finish = await self._judging.finished(finish, past)
        return compacted(finish, self._request) if self._request.compact else finish

    async def _stoppable(
        self,
        work: Coroutine[None, None, DoneT],
        stopped: Callable[[Status, Failure | None], Finish],
    ) -> DoneT | Finish:
        """Do work that may take long; a wish to cancel, or the turn's limit, stops it."""
        limit, left = self._time()
        if self._cancelled:
            work.close()
            return self._stopped("cancelled")
        self._working = asyncio.current_task()
        try:
            async with asyncio.timeout(left):
                return await work
        except TimeoutError:
            turn = self._owned.turn
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
        at, told = self._ports.now_ms(), self._instructions
        return Finish(at, status, [], [], instructions=told, failure=failure)

    def _failed(self, failure: Failure) -> Fail:
        return Fail(self._ports.now_ms(), failure, instructions=self._instructions)

    def _sampler(self, past: Past | None) -> Sampler:
        turn, request = self._owned.turn, self._request
        told = turn.told if isinstance(turn, Sampling) else Told()
        if request.compact:
            request = asking_for_summary(request)
        box = self._rounds.box(request, past) if uses_mcp(request) else None
        assembler = self.channel.assembler(len(told.items), box)
        said = () if box is None else told.said
        asked = request if box is None else offering(request, box, told.said)
        sampler = Sampler(self._ports, asked, self.channel, said, assembler)
        if self._is_held:
            unseen = self.channel.assembler(len(told.items), box, shown=False)
            held = HeldAssembler(request.response_id, unseen)
            judge = partial(self._judging.output, past=past)
            sampler.hold_back(HeldBack(held, assembler, judge))
        return sampler

    @property
    def _is_held(self) -> bool:
        """Whether what the model says is judged before it is shown."""
        return output_check(self._owned.turn) == "held" and self._request.watched

    @property
    def _is_checked_at_end(self) -> bool:
        """Whether it is judged when it is whole; so is what nobody sees before."""
        return output_check(self._owned.turn) != "unchecked" and not self._is_held

    @property
    def _instructions(self) -> str | None:
        """What the stream was opened with, if it was."""
        return self._known[1] if self._known else None

    def _time(self) -> tuple[float, float]:
        """Give the seconds that the turn may take, and how many of them are left.

        Nobody knows how often a background turn is begun again, so it counts from its request.
        """
        policy, request = self._ports.policy, self._request
        if not request.background:
            spent = asyncio.get_running_loop().time() - self._began
            return policy.turn_timeout_s, max(0.0, policy.turn_timeout_s - spent)
        limit = policy.background_timeout_s
        return limit, max(0.0, limit - (self._ports.now_ms() - request.at) / 1000)

    async def _context(self) -> Context:
        """Give the history and the instructions, which are read once."""
        if self._known is None:
            self._known = await context_of(self._request, self._ports)
        return self._known

    async def _take_over(self) -> None:
        """Claim the turn, keep what was seen of the lost sample, and finish its open item."""
        frames = await self.channel.published()
        turn = self._owned.turn
        known = 0
        if isinstance(turn, Sampling) and frames:
            known = count_frames(turn.request, turn.told)
        response_id = self._request.response_id
        items, cuts, runs = seen_items(response_id, frames[known:], _told(turn))
        if items and self._is_checked_at_end:
            items = await self._judged(items)
        at, claim = self._ports.now_ms(), self._owned.claim
        await self._owned.carry_out(TakeOver(at, claim, abandoned=items, cuts=cuts, runs=runs))
        turn = self._owned.turn
        if isinstance(turn, Sampling) and (frames or turn.told.items):
            await self._resume(turn, len(frames))

    async def _judged(self, items: list[Item]) -> list[Item]:
        try:
            past, _ = await self._context()
        except TurnFailedError:
            past = None
        return await self._judging.seen(items, past)

    async def _resume(self, turn: Sampling, published: int) -> None:
        failure = None
        try:
            await self._context()
        except TurnFailedError as error:
            failure = error.failure
        await self.channel.resume(self._instructions, turn.told, published)
        if failure is not None:
            await self._owned.carry_out(self._failed(failure))

    async def _tell_end(self) -> None:
        turn = self._owned.turn
        if not isinstance(turn, ClosedTurn):
            return
        past = self._known[0] if self._known else None
        self._ports.histories.remember(turn, past)
        await self.channel.end(turn)


def _told(turn: object) -> int:
    return len(turn.told.items) if isinstance(turn, Sampling) else 0
