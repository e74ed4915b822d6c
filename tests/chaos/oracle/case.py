"""A run, indexed for the laws."""

from functools import cached_property

from chaos.oracle.prompts import Prompt, is_from, newest, parsed, text_of
from chaos.oracle.records import LoggedTurn, Run, SeenTurn
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_contracts.turn_state import ClosedTurn


class Case:
    """What the laws look at; everything is worked out once."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def logged(self) -> dict[str, LoggedTurn]:
        """The turns of the log, by their ids."""
        return {turn.response_id: turn for turn in self.run.log}

    @cached_property
    def seen(self) -> dict[str, SeenTurn]:
        """What clients saw, by id."""
        return {seen.response_id: seen for seen in self.run.seen if seen.response_id}

    @cached_property
    def by_word(self) -> dict[str, list[LoggedTurn]]:
        """The turns of the log, by the word of the prompt that they were asked."""
        found: dict[str, list[LoggedTurn]] = {}
        for turn in self.run.log:
            if (prompt := asked(turn)) is not None:
                found.setdefault(prompt.word, []).append(turn)
        return found

    @cached_property
    def ended(self) -> dict[str, ClosedTurn]:
        """The turns whose log folds to an end with content, by their ids."""
        found: dict[str, ClosedTurn] = {}
        for turn in self.run.log:
            try:
                state = turn.folded()
            except ImpossibleEventError:
                continue
            if isinstance(state, ClosedTurn):
                found[turn.response_id] = state
        return found

    def prompt_of(self, turn: ClosedTurn) -> Prompt | None:
        """What a turn answers: its own prompt, or that of the turn whose question it answers."""
        current: ClosedTurn | None = turn
        while current is not None:
            if (prompt := newest(current.request.input)) is not None:
                return prompt
            current = self.parent(current)
        return None

    def parent(self, turn: ClosedTurn) -> ClosedTurn | None:
        """The turn that a turn continues."""
        return self.ended.get(turn.request.previous_response_id or "")

    def was_disturbed(self, turn: LoggedTurn) -> bool:
        """Whether a fault fell into a turn's life, or just before it: a process was away."""
        if turn.takeovers:
            return True
        if not turn.events:
            return False
        begun, ended = turn.events[0].at / 1000, turn.events[-1].at / 1000
        return any(each.at <= ended and each.until >= begun for each in self.run.faults)


def asked(turn: LoggedTurn) -> Prompt | None:
    """The prompt in a turn's own input."""
    if turn.request is None:
        return None
    texts = [text_of(item) for item in turn.request.input if is_from(item, "user")]
    return parsed(texts[-1]) if texts else None
