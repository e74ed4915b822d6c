"""What the guard is asked about one turn: its input, what tools answer, what the model says."""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec
import orjson

from turnwire_chassis.request_reply.verdicts import (
    PriorMessages,
    input_question,
    output_question,
    tool_question,
)
from turnwire_contracts.events import Requested
from turnwire_contracts.queries import GuardMessage, Verdict
from turnwire_contracts.turn_state import Sampling, Screening, Turn
from turnwire_contracts.wire.texts import spoken
from turnwire_orchestrator.deciding.commands import RecordVerdict
from turnwire_orchestrator.guarding.output_buffer import Violations
from turnwire_orchestrator.ports import TurnRunnerPorts
from turnwire_orchestrator.prompting.history import HistoryTurn, PromptContext

ReadContext = Callable[[], Coroutine[None, None, PromptContext]]
"""Reads what the turn stands on; raises `TurnFailedError`."""


class GuardSession:
    """Asks the guard about one turn."""

    def __init__(self, ports: TurnRunnerPorts, request: Requested) -> None:
        self._ports = ports
        self._request = request

    @property
    def is_guarded(self) -> bool:
        """Whether anything of the turn is judged."""
        return self._request.screen or self._ports.policy.guarded

    async def input(self, read: ReadContext) -> RecordVerdict:
        """Judge the input while its history is read; raises `TurnFailedError`.

        A history that cannot be read is no matter of the verdict, unless the guard wants it: the
        turn meets that failure when it needs the history.
        """
        reading = asyncio.create_task(read())

        async def earlier(turns: int) -> PriorMessages:
            return said_before((await asyncio.shield(reading)).history, turns)

        try:
            verdict = await self._ports.guard.check(input_question(self._request), earlier)
            if verdict.safe:
                await asyncio.wait({reading})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return RecordVerdict(self._ports.now_ms(), violations_in(verdict), verdict.output)

    async def tool_output(self, output: str) -> Violations:
        """Judge what a tool answered; raises `TurnFailedError`."""
        question = tool_question(self._request, output)
        return violations_in(await self._ports.guard.check(question, _nothing_before))

    async def output(self, text: str, shown: str, past: HistoryTurn | None) -> Violations:
        """Judge `text`, with which the answer reads `shown`; raises `TurnFailedError`."""

        async def earlier(turns: int) -> PriorMessages:
            return said_before(past, turns)

        question = output_question(self._request, text, shown)
        return violations_in(await self._ports.guard.check(question, earlier))


def to_be_judged(turn: Turn) -> Turn:
    """Give a turn whose input must pass, though its gateway did not say so."""
    if isinstance(turn, Sampling) and turn.is_new:
        return Screening(turn.request, turn.cancel, turn.started)
    return turn


def violations_in(verdict: Verdict) -> Violations:
    """Give violations as clients are told them."""
    return [msgspec.to_builtins(violation) for violation in verdict.violations]


def said_before(past: HistoryTurn | None, turns: int) -> PriorMessages:
    """Give what was said in the last turns of a history, and whether there are no others."""
    newest_first: list[HistoryTurn] = []
    for turn in past.lineage() if past else ():
        if len(newest_first) == turns:
            return _said(newest_first), False
        newest_first.append(turn)
    return _said(newest_first), True


def _said(newest_first: list[HistoryTurn]) -> list[GuardMessage]:
    encoded = (turn.encoded for turn in reversed(newest_first))
    return [said for each in encoded for said in spoken(orjson.loads(b"[" + each + b"]"))]


async def _nothing_before(_: int) -> PriorMessages:
    return [], True
