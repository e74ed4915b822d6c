"""The pipeline that the model's output takes through the guard, from the backend to clients.

The policy names one of two checks. `held`: text waits in a buffer and is shown, sentence by
sentence, when it has passed. `at_end`: it is shown as it comes, judged when it is whole, and taken
back if it does not pass. What no client sees before its end is judged at its end in either case.
"""

from msgspec.structs import replace

from turnwire_contracts.events import Item, OutputCheck, Requested
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.texts import blanked, texts
from turnwire_orchestrator.deciding.commands import Finish
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.guarding.guard_session import GuardSession, ReadContext
from turnwire_orchestrator.guarding.output_buffer import HeldAssembler, OutputBuffer, Violations
from turnwire_orchestrator.prompting.history import HistoryTurn


class OutputGuard:
    """Judges what the model says in one turn."""

    def __init__(self, guard_session: GuardSession, request: Requested, check: OutputCheck) -> None:
        """`check` is `held` or `at_end`; a turn that is `unchecked` has no output guard."""
        self._guard_session = guard_session
        self._request = request
        self._is_held = check == "held" and request.watched

    def buffer(
        self, shown: Assembler, unseen: Assembler, past: HistoryTurn | None
    ) -> OutputBuffer | None:
        """Give what holds a sample back before `shown`; `None` if it is judged at its end.

        `unseen` gathers the same items and writes no frames.
        """
        if not self._is_held:
            return None

        async def judge(text: str, answer: str) -> Violations:
            return await self._guard_session.output(text, answer, past)

        return OutputBuffer(HeldAssembler(self._request.response_id, unseen), shown, judge)

    async def finish(self, finish: Finish, past: HistoryTurn | None) -> Finish:
        """Judge a whole sample that was not held back.

        What does not pass loses its text, or is left out if no client has seen it.
        """
        text = "" if self._is_held else "\n".join(texts(finish.items))
        if not text:
            return finish
        try:
            violations = await self._guard_session.output(text, text, past)
        except TurnFailedError as error:
            return self._withheld(
                finish, Finish(finish.at, "failed", [], [], failure=error.failure)
            )
        if not violations:
            return finish
        blocked = Finish(finish.at, "incomplete", [], [], incomplete_reason="content_filter")
        return self._withheld(replace(finish, violations=violations), blocked)

    async def seen(self, items: list[Item], read: ReadContext) -> list[Item]:
        """Give what clients saw of a lost sample, without its text unless that passes."""
        text = "" if self._is_held else "\n".join(texts(items))
        if not text:
            return items
        try:
            past = (await read()).history
        except TurnFailedError:
            past = None
        try:
            passes = not await self._guard_session.output(text, text, past)
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
