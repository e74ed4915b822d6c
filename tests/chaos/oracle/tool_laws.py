"""What tool servers did, by their own ledgers, against what turns tell of it. Pure."""

from collections import Counter
from collections.abc import Iterator

from chaos.oracle.case import Case
from chaos.oracle.prompts import JSON, SAFE, UNSAFE, Prompt
from turnwire_contracts.turn_state import ClosedTurn


def tools_are_called_once(case: Case) -> Iterator[str]:
    """A tool that writes is called once at most; one that reads again only when a call was lost."""
    calls = Counter((each.tool, each.word) for each in case.run.ledger)
    for (tool, word), times in calls.items():
        turns = case.by_word.get(word, [])
        if tool == UNSAFE and times > 1:
            yield f"word {word}: the tool {tool!r}, which writes, was called {times} times"
        disturbed = any(map(case.was_disturbed, turns)) or not turns
        if tool == SAFE and times > 1 and not disturbed:
            yield f"word {word}: the tool {tool!r} was called {times} times without a cause"
        if not turns and not _is_unstored(case, word):
            yield f"word {word}: the tool {tool!r} was called for no turn of the log"
    for response_id, turn in case.ended.items():
        if (prompt := case.prompt_of(turn)) is not None and prompt.tool:
            yield from _told(case, (response_id, turn), prompt, calls[prompt.tool, prompt.word])


def _is_unstored(case: Case, word: str) -> bool:
    return any(seen.prompt.word == word and not seen.stored for seen in case.run.seen)


def _told(case: Case, of: tuple[str, ClosedTurn], prompt: Prompt, times: int) -> Iterator[str]:
    response_id, turn = of
    for call in _calls(turn):
        if call["status"] == "completed":
            if times == 0:
                yield f"{response_id}: its call is told as completed, and its server had none"
            if call.get("output") != prompt.tool_output:
                told = call.get("output")
                yield f"{response_id}: its call gave {told!r}, its server {prompt.tool_output!r}"
        elif call["status"] == "failed" and not case.was_disturbed(case.logged[response_id]):
            yield f"{response_id}: its call failed without a cause: {call.get('error')}"
    completed = [call for call in _calls(turn) if call["status"] == "completed"]
    if prompt.tool == UNSAFE and len(completed) > 1:
        yield f"{response_id}: {len(completed)} calls that write are told as completed"
    if turn.closed.status == "completed" and not _calls(turn) and not _asks(turn):
        denied = any(item.get("approve") is False for item in turn.request.input)
        if not denied:
            yield f"{response_id}: completed without the call that its model asked for"


def approvals_are_kept(case: Case) -> Iterator[str]:
    """Nothing is called before a client said yes, and nothing after it said no."""
    called = {each.word for each in case.run.ledger}
    answers: dict[str, set[bool]] = {}
    for seen in case.run.seen:
        if seen.approves is not None:
            answers.setdefault(seen.prompt.word, set()).add(seen.approves)
    for seen in case.run.seen:
        word = seen.prompt.word
        if seen.asks_approval and word in called and True not in answers.get(word, set()):
            yield f"{seen.name}: its tool was called, and no client approved"
        turn = case.ended.get(seen.response_id)
        if seen.approves and turn is not None and turn.closed.status == "completed":
            yield from _approved(seen.name, turn)


def _approved(name: str, turn: ClosedTurn) -> Iterator[str]:
    calls = [call for call in _calls(turn) if call.get("approval_request_id")]
    if len(calls) != 1:
        yield f"{name}: approved, and {len(calls)} calls are told, not one"


def _calls(turn: ClosedTurn) -> list[JSON]:
    """The calls of a turn, but those that were cut off while the model wrote them."""
    calls = [item for item in turn.output if item["type"] == "mcp_call"]
    return [call for call in calls if call["status"] != "incomplete"]


def _asks(turn: ClosedTurn) -> bool:
    return any(item["type"] == "mcp_approval_request" for item in turn.output)
