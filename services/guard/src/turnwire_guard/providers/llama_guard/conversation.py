"""A conversation as Llama Guard takes it: user first, taking turns, ending with what is judged."""

from collections.abc import Sequence

from turnwire_contracts.queries import AskForCheck, GuardMessage
from turnwire_guard.pipeline import HistoryWantedError

_UNKNOWN = "(not known)"
"""Stands for a user's message that the asker did not give: an answer is judged only behind one."""


def conversation_of(question: AskForCheck, last_turns: int) -> list[GuardMessage]:
    """Give the last turns, at least all that is new; a turn is a user's message and its answer.

    A tool's output is judged as a user's message: the model knows no third role.
    Raises HistoryWantedError, once, when there are fewer turns than wanted and more can be had.
    """
    judged = "assistant" if question.check_type == "output" else "user"
    messages = [message for message in question.conversation if message.text.strip()]
    if question.check_type == "tool_output" or not messages or messages[-1].role != judged:
        messages.append(GuardMessage(role=judged, text=question.input))
    new = _how_many_are_new(messages, question.input)
    earlier = last_turns - _turns(messages)
    if earlier > 0 and not question.whole and new == len(messages):
        raise HistoryWantedError(last_turns - 1)
    kept = max(new, _length_of_last(messages, last_turns))
    return _taking_turns(messages[-kept:])


def _how_many_are_new(messages: Sequence[GuardMessage], judged: str) -> int:
    """Count the messages at the end whose text is to be judged: none of them may be cut away."""
    count = 0
    for message in reversed(messages):
        if message.text not in judged:
            break
        count += 1
    return max(count, 1)


def _turns(messages: Sequence[GuardMessage]) -> int:
    return sum(message.role == "user" for message in _merged(messages))


def _length_of_last(messages: Sequence[GuardMessage], turns: int) -> int:
    """Count the messages, from the end, that make up so many turns."""
    seen = 0
    for index in range(len(messages) - 1, -1, -1):
        begins = messages[index].role == "user" and (
            index == 0 or messages[index - 1].role != "user"
        )
        seen += begins
        if seen == turns:
            return len(messages) - index
    return len(messages)


def _taking_turns(messages: Sequence[GuardMessage]) -> list[GuardMessage]:
    merged = _merged(messages)
    return (
        merged if merged[0].role == "user" else [GuardMessage(role="user", text=_UNKNOWN), *merged]
    )


def _merged(messages: Sequence[GuardMessage]) -> list[GuardMessage]:
    merged: list[GuardMessage] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = GuardMessage(
                role=message.role, text=f"{merged[-1].text}\n\n{message.text}"
            )
        else:
            merged.append(message)
    return merged
