"""The guard's part in one turn: its input, what tools answer, and what the model says."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from turnwire_chassis.questions.verdicts import (
    Before,
    input_question,
    output_question,
    tool_question,
)
from turnwire_contracts.events import Item, OutputCheck, Requested
from turnwire_contracts.queries import Said, Verdict
from turnwire_contracts.turn import Sampling, Screening, Turn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.texts import blanked, spoken, texts
from turnwire_orchestrator.deciding.commands import Finish, Judge
from turnwire_orchestrator.driving.context import Context
from turnwire_orchestrator.guarding.holding import HeldAssembler, words
from turnwire_orchestrator.ports import Ports, TurnFailedError
from turnwire_orchestrator.prompting.history import Past

Violations = list[dict[str, Any]]

_OVERLAP_CHARACTERS = 200
"""How much of what has passed is judged again with what follows: a rule may span the cut."""


class OutputBlockedError(Exception):
    """The guard found something in what the model says."""

    def __init__(self, violations: Violations) -> None:
        """Carry what it found to where the turn is closed."""
        super().__init__("content_filter")
        self.violations = violations


class Judging:
    """Asks the guard about one turn."""

    def __init__(self, ports: Ports, request: Requested) -> None:
        """Ask by the policy of the request's application."""
        self._ports = ports
        self._request = request

    @property
    def is_wanted(self) -> bool:
        """Whether anything of the turn is judged."""
        return self._request.screen or self._ports.policy.guarded

    async def input(self, read: Callable[[], Coroutine[None, None, Context]]) -> Judge:
        """Judge the input while its history is read; raises `TurnFailedError`.

        A history that cannot be read is no matter of the verdict, unless the guard wants it: the
        turn meets that failure when it needs the history.
        """
        reading = asyncio.create_task(read())

        async def earlier(turns: int) -> Before:
            return said_before((await asyncio.shield(reading))[0], turns)

        try:
            verdict = await self._ports.guard.check(input_question(self._request), earlier)
            if verdict.safe:
                await asyncio.wait({reading})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return Judge(self._ports.now_ms(), violations_in(verdict), verdict.output)

    async def tool_output(self, output: str) -> Violations:
        """Judge what a tool answered; raises `TurnFailedError`."""
        question = tool_question(self._request, output)
        return violations_in(await self._ports.guard.check(question, _nothing_before))

    async def output(self, text: str, shown: str, past: Past | None) -> Violations:
        """Judge `text`, with which the answer reads `shown`; raises `TurnFailedError`."""

        async def earlier(turns: int) -> Before:
            return said_before(past, turns)

        question = output_question(self._request, text, shown)
        return violations_in(await self._ports.guard.check(question, earlier))

    async def finished(self, finish: Finish, past: Past | None) -> Finish:
        """Judge a whole sample; what does not pass loses its text, or is left out unseen."""
        if not (text := "\n".join(texts(finish.items))):
            return finish
        try:
            violations = await self.output(text, text, past)
        except TurnFailedError as error:
            return self._withheld(
                finish, Finish(finish.at, "failed", [], [], failure=error.failure)
            )
        if not violations:
            return finish
        blocked = Finish(finish.at, "incomplete", [], [], incomplete_reason="content_filter")
        return self._withheld(replace(finish, violations=violations), blocked)

    async def seen(self, items: list[Item], past: Past | None) -> list[Item]:
        """Give what clients saw of a lost sample, without its text unless that passes."""
        if not (text := "\n".join(texts(items))):
            return items
        try:
            passes = not await self.output(text, text, past)
        except TurnFailedError:
            passes = False
        return items if passes else blanked(items)

    def _withheld(self, finish: Finish, end: Finish) -> Finish:
        """Give a sample without its text; it ends as `end` does, unless it was cancelled."""
        if finish.status != "cancelled":
            finish = replace(
                finish,
                status=end.status,
                incomplete_reason=end.incomplete_reason,
                failure=end.failure,
            )
        if not self._request.watched:
            return replace(finish, items=[], cuts=[], runs=[])
        return replace(finish, items=blanked(finish.items), withheld=True)


class HeldBack:
    """Shows what a model says as soon as the guard has passed it."""

    def __init__(
        self,
        held: HeldAssembler,
        shown: Assembler,
        judge: Callable[[str, str], Awaitable[Violations]],
    ) -> None:
        """Tell `shown` what was told to `held`, once `judge` finds nothing in it."""
        self.held = held
        self._shown = shown
        self._judge = judge
        self._passed = ""

    async def pass_on(self) -> None:
        """Judge and show what can be judged; raises `OutputBlockedError`, `TurnFailedError`."""
        while steps := self.held.take():
            text = words(steps)
            if text.strip():
                overlap = self._passed[-_OVERLAP_CHARACTERS:]
                if violations := await self._judge(overlap + text, self._passed + text):
                    raise OutputBlockedError(violations)
            self._passed += text
            for step in steps:
                step.tell(self._shown)


def output_check(turn: Turn) -> OutputCheck:
    """Tell how what the model answers in a turn is to be checked."""
    return (turn.output_check or "unchecked") if isinstance(turn, Sampling) else "unchecked"


def to_be_judged(turn: Turn) -> Turn:
    """Give a turn whose input must pass, though its gateway did not say so."""
    if isinstance(turn, Sampling) and turn.is_new:
        return Screening(turn.request, turn.cancel, turn.started)
    return turn


def violations_in(verdict: Verdict) -> Violations:
    """Give violations as clients are told them."""
    return [msgspec.to_builtins(violation) for violation in verdict.violations]


def said_before(past: Past | None, turns: int) -> Before:
    """Give what was said in the last turns of a history, and whether there are no others."""
    newest_first: list[Past] = []
    for turn in past.lineage() if past else ():
        if len(newest_first) == turns:
            return _said(newest_first), False
        newest_first.append(turn)
    return _said(newest_first), True


def _said(newest_first: list[Past]) -> list[Said]:
    encoded = (turn.encoded for turn in reversed(newest_first))
    return [said for each in encoded for said in spoken(orjson.loads(b"[" + each + b"]"))]


async def _nothing_before(_: int) -> Before:
    return [], True
