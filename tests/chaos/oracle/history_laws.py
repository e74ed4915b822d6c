"""What the backend was sent, and where turns stand in their conversations. Pure."""

from collections.abc import Iterator, Mapping

from chaos.oracle.case import Case
from chaos.oracle.prompts import JSON, is_from, newest, text_of
from turnwire_contracts.turn_state import ClosedTurn

Said = list[tuple[str, str]]
"""Who said what, in order; calls and their answers by their types."""


def backend_is_sent_the_history(case: Case) -> Iterator[str]:
    """The backend is sent the chain of the turn, whole and in order, and nothing of others."""
    for request in case.run.sent:
        prompt = newest(request.items)
        if prompt is None:
            yield f"the backend was sent a request without a prompt: {request.items}"
            continue
        turns = case.by_word.get(prompt.word, [])
        turn = case.ended.get(turns[0].response_id) if len(turns) == 1 else None
        if turn is None:
            continue  # Not stored, not ended, or doubled: another law says so.
        expected, is_known = _expected(case, turn)
        said = _messages(request.items)
        if is_known and said != expected:
            yield f"{turn.request.response_id}: the backend was sent {said}, not {expected}"


def _expected(case: Case, turn: ClosedTurn) -> tuple[Said, bool]:
    """The messages up to the turn's own prompt; and whether every ancestor completed."""
    lineage: list[ClosedTurn] = []
    current = case.parent(turn)
    named = turn.request.previous_response_id
    while current is not None:
        lineage.append(current)
        named = current.request.previous_response_id
        current = case.parent(current)
    said: Said = []
    for each in reversed(lineage):
        said += _messages([*each.request.input, *each.said])
    is_known = not named and all(each.closed.status == "completed" for each in lineage)
    return [*said, *_messages(turn.request.input)], is_known


def _messages(items: list[JSON]) -> Said:
    said: Said = []
    for item in items:
        for role in ("user", "assistant"):
            if is_from(item, role):
                said.append((role, text_of(item)))
    return said


def conversations_are_lines(case: Case) -> Iterator[str]:
    """Turns continue what their clients named; those of a conversation follow one another."""
    for seen in case.run.seen:
        turn = case.ended.get(seen.response_id)
        if turn is None:
            continue
        named = turn.request.previous_response_id or ""
        if seen.previous and named != seen.previous:
            yield f"{seen.name}: it continues {named!r}, not {seen.previous!r}"
        if seen.conversation and turn.request.conversation != seen.conversation:
            yield f"{seen.name}: it is in {turn.request.conversation!r}, not {seen.conversation!r}"
    yield from _forks(case.ended)


def _forks(ended: Mapping[str, ClosedTurn]) -> Iterator[str]:
    followers: dict[tuple[str, str], list[str]] = {}
    for response_id, turn in ended.items():
        # What failed is no part of a conversation: the next turn stands where it would have.
        is_part = turn.closed.stored and turn.closed.status != "failed"
        if turn.request.conversation and is_part:
            place = (turn.request.conversation, turn.request.previous_response_id or "")
            followers.setdefault(place, []).append(response_id)
    for (conversation, place), ids in followers.items():
        if len(ids) > 1:
            yield f"{conversation}: {len(ids)} turns stand behind {place or 'its start'!r}: {ids}"
