"""The laws, by name: each gives what breaks it, in plain words. Pure."""

from collections.abc import Callable, Iterator, Mapping

import orjson

from chaos.oracle.case import Case
from chaos.oracle.history_laws import backend_is_sent_the_history, conversations_are_lines
from chaos.oracle.prompts import JSON
from chaos.oracle.records import LoggedTurn, Run, SeenTurn
from chaos.oracle.stream_laws import streams_are_the_log
from chaos.oracle.tool_laws import approvals_are_kept, tools_are_called_once
from turnwire_contracts.events import CancelRequested, Closed
from turnwire_contracts.turn import ImpossibleEventError
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.response import closed_response

Law = Callable[[Case], Iterator[str]]

PASSING = frozenset(
    {
        "guard_unavailable",
        "store_unavailable",
        "event_log_unavailable",
        "tool_runner_unavailable",
        "turn_abandoned",
        "rate_limiter_unavailable",
    }
)
"""Codes with which a turn may fail while a process is away: all say that nothing was done wrong."""

GIVEN_ONCE = frozenset({"idempotency_key_spent", "answer_lost"})
"""With which the answer of a turn that is not stored may be refused: it is given once."""

_RUNNING = frozenset({"queued", "in_progress"})


def accepted_turns_are_there(case: Case) -> Iterator[str]:
    """An id that a client was given is in the log."""
    for seen in case.run.seen:
        if seen.response_id and seen.response_id not in case.logged:
            yield f"{seen.name}: lost: its client was given the id, and the log does not have it"


def turns_end_once(case: Case) -> Iterator[str]:
    """Every turn of the log has exactly one terminal event, and its events fold."""
    for turn in case.run.log:
        yield from _ends_once(turn)


def _ends_once(turn: LoggedTurn) -> Iterator[str]:
    if len(turn.closes) != 1:
        kinds = [type(each).__name__ for each in turn.events]
        yield f"{turn.response_id}: {len(turn.closes)} terminal events, not one: {kinds}"
        return
    try:
        turn.folded()
    except ImpossibleEventError as error:
        yield f"{turn.response_id}: its events do not fold: {error}"
    after = turn.events[turn.events.index(turn.closes[0]) + 1 :]
    if late := [type(each).__name__ for each in after if not isinstance(each, CancelRequested)]:
        yield f"{turn.response_id}: {late} after its end"


def requests_make_one_turn(case: Case) -> Iterator[str]:
    """No request is run twice: a word, which one client asked once, is in one turn at most."""
    for word, turns in case.by_word.items():
        if len(turns) > 1:
            ids = ", ".join(turn.response_id for turn in turns)
            yield f"word {word}: doubled: {len(turns)} turns of one request: {ids}"
    for seen in case.run.seen:
        own = [turn.response_id for turn in case.by_word.get(seen.prompt.word, [])]
        is_asked = seen.approves is None and seen.stored
        if is_asked and seen.response_id and own and seen.response_id not in own:
            yield f"{seen.name}: mixed up: its word is in another turn: {', '.join(own)}"


def clients_have_their_end(case: Case) -> Iterator[str]:
    """Every client that was not cut off for good was told an end."""
    for seen in case.run.seen:
        if not seen.done and not seen.gave_up:
            told = [f"{each.what} {each.status} {each.code}" for each in seen.requests[-4:]]
            yield f"{seen.name}: its client was told no end: {told}"


def answers_are_the_log(case: Case) -> Iterator[str]:
    """What a client was answered is what the log adds up to, and so is the view."""
    for seen in case.run.seen:
        turn = case.ended.get(seen.response_id)
        answer = seen.answer
        if turn is None or answer is None or answer.get("status") in _RUNNING or not seen.stored:
            continue
        yield from _compared(seen.name, "the client's answer", answer, turn)
    for response_id, view in case.run.views.items():
        turn = case.ended.get(response_id)
        if turn is not None and turn.closed.stored:
            yield from _compared(response_id, "the view", view, turn)
    for response_id, turn in case.ended.items():
        if turn.closed.stored and case.run.views and response_id not in case.run.views:
            yield f"{response_id}: it has ended, and has no view"


def _compared(name: str, what: str, told: JSON, turn: ClosedTurn) -> Iterator[str]:
    right: JSON = orjson.loads(orjson.dumps(closed_response(turn)))
    wrong = [field for field in {*told, *right} if told.get(field) != right.get(field)]
    for field in sorted(wrong):
        was, logged = told.get(field), right.get(field)
        yield f"{name}: {what} differs from the log in {field!r}: {was!r} and {logged!r}"


def turns_say_what_was_said(case: Case) -> Iterator[str]:
    """A turn's output is what the backend said for its prompt: no garbling, no mixing."""
    for response_id, turn in case.ended.items():
        prompt = case.prompt_of(turn)
        if prompt is None or not turn.closed.stored:
            continue
        texts = [_text_and_status(item) for item in turn.output if item["type"] == "message"]
        for text, status in texts:
            if not prompt.answer.startswith(text):
                yield f"{response_id}: garbled: it says {text!r}, its backend {prompt.answer!r}"
            elif status == "completed" and text != prompt.answer:
                yield f"{response_id}: cut short: {text!r} is told as whole"
        whole = sum(status == "completed" for _, status in texts)
        asks = any(item["type"] == "mcp_approval_request" for item in turn.output)
        if turn.closed.status == "completed" and not asks and whole != 1:
            yield f"{response_id}: completed with {whole} whole answers, not one"


def _text_and_status(item: JSON) -> tuple[str, str]:
    return "".join(part.get("text", "") for part in item["content"]), item["status"]


def turns_fail_with_cause(case: Case) -> Iterator[str]:
    """A turn ends as not `completed` only by a fault, with a code that says so, or by a wish."""
    for response_id, turn in case.ended.items():
        logged, closed = case.logged[response_id], turn.closed
        seen = case.seen.get(response_id)
        if closed.status == "completed":
            continue
        if closed.status == "cancelled":
            # One that no orchestrator had yet is closed by the gateway, without a wish in the log.
            asked = logged.is_cancelled or (seen is not None and seen.cancelled)
            if not asked:
                yield f"{response_id}: cancelled, and no client asked for it"
            elif seen is not None and not seen.cancelled and not case.was_disturbed(logged):
                yield f"{response_id}: cancelled although its client stayed"
            continue
        code = closed.failure.code if closed.failure else closed.incomplete_reason or ""
        if code not in PASSING | case.run.passing:
            yield f"{response_id}: {closed.status} with {code!r}: no fault of a process"
        elif not case.was_disturbed(logged):
            yield f"{response_id}: {closed.status} with {code!r}, and no process was away"


def refusals_say_when(case: Case) -> Iterator[str]:
    """A 5xx or 429 says when to try again, or that it is of no use; no other refusal is right."""
    for seen in case.run.seen:
        code = (seen.error or {}).get("code")
        once: frozenset[str] = frozenset() if seen.stored else frozenset(GIVEN_ONCE)
        if seen.error is not None and code not in PASSING | case.run.passing | once:
            yield f"{seen.name}: refused with {code!r}: {seen.error.get('message')}"
        for request in seen.requests:
            if (request.status >= 500 or request.status == 429) and not request.says_when:
                yield f"{seen.name}: {request.status} {request.code} without Retry-After"


def unstored_turns_leave_nothing(case: Case) -> Iterator[str]:
    """A turn with `store: false` keeps no content: only the fact of its end."""
    for seen in case.run.seen:
        turn = case.logged.get(seen.response_id)
        if seen.stored or turn is None or len(turn.closes) != 1:
            continue
        left = [type(each).__name__ for each in turn.events if not isinstance(each, Closed)]
        if left:
            yield f"{seen.name}: not to be stored, and the log still has {left}"


LAWS: Mapping[str, Law] = {
    "lost": accepted_turns_are_there,
    "ends once": turns_end_once,
    "doubled": requests_make_one_turn,
    "told its end": clients_have_their_end,
    "streams": streams_are_the_log,
    "answers and views": answers_are_the_log,
    "said": turns_say_what_was_said,
    "fails with cause": turns_fail_with_cause,
    "history": backend_is_sent_the_history,
    "conversations": conversations_are_lines,
    "tools once": tools_are_called_once,
    "approvals": approvals_are_kept,
    "refusals": refusals_say_when,
    "not stored": unstored_turns_leave_nothing,
}


def problems(run: Run) -> list[str]:
    """Everything that breaks a law, as `<law>: <turn>: <what>`."""
    case = Case(run)
    return [f"{name}: {problem}" for name, law in LAWS.items() for problem in law(case)]


def ended_otherwise(seen: SeenTurn) -> bool:
    """Whether a client was told another end than a completed one: a figure, no problem."""
    if seen.error is not None or not seen.done:
        return True
    if seen.frames:
        return not seen.frames[-1].startswith(b"event: response.completed")
    return (seen.answer or {}).get("status") != "completed"
