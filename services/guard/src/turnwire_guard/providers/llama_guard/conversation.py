"""A conversation as Llama Guard takes it: user first, taking turns, ending with what is judged."""

from collections.abc import Sequence

from turnwire_contracts.queries import AskForCheck, Said
from turnwire_guard.pipeline import HistoryWantedError

_UNKNOWN = "(not known)"
"""Stands for a user's message that the asker did not give: an answer is judged only behind one."""


def conversation_of(question: AskForCheck, last_turns: int) -> list[Said]:
    """Give the last turns, at least all that is new; a turn is a user's message and its answer.

    A tool's output is judged as a user's message: the model knows no third role.
    Raises HistoryWantedError, once, when there are fewer turns than wanted and more can be had.
    """
    judged = "assistant" if question.check_type == "output" else "user"
    given = [said for said in question.conversation if said.text.strip()]
    if question.check_type == "tool_output" or not given or given[-1].role != judged:
        given.append(Said(role=judged, text=question.input))
    new = _how_many_are_new(given, question.input)
    earlier = last_turns - _turns(given)
    if earlier > 0 and not question.whole and new == len(given):
        raise HistoryWantedError(last_turns - 1)
    kept = max(new, _length_of_last(given, last_turns))
    return _taking_turns(given[-kept:])


def _how_many_are_new(given: Sequence[Said], judged: str) -> int:
    """Count the messages at the end whose text is to be judged: none of them may be cut away."""
    count = 0
    for said in reversed(given):
        if said.text not in judged:
            break
        count += 1
    return max(count, 1)


def _turns(given: Sequence[Said]) -> int:
    return sum(said.role == "user" for said in _merged(given))


def _length_of_last(given: Sequence[Said], turns: int) -> int:
    """Count the messages, from the end, that make up so many turns."""
    seen = 0
    for index in range(len(given) - 1, -1, -1):
        begins = given[index].role == "user" and (index == 0 or given[index - 1].role != "user")
        seen += begins
        if seen == turns:
            return len(given) - index
    return len(given)


def _taking_turns(given: Sequence[Said]) -> list[Said]:
    merged = _merged(given)
    return merged if merged[0].role == "user" else [Said(role="user", text=_UNKNOWN), *merged]


def _merged(given: Sequence[Said]) -> list[Said]:
    merged: list[Said] = []
    for said in given:
        if merged and merged[-1].role == said.role:
            merged[-1] = Said(role=said.role, text=f"{merged[-1].text}\n\n{said.text}")
        else:
            merged.append(said)
    return merged
