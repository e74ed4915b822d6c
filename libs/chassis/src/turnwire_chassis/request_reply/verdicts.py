"""The guard's verdict, asked over the broker by whichever service needs it."""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace
from nats.aio.client import Client

from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.json_values import mapping, objects
from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    GuardMessage,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_contracts.wire.texts import spoken, texts

PriorMessages = tuple[list[GuardMessage], bool]
"""What was said in some turns before, oldest first, and whether that is all there was."""

ReadPriorMessages = Callable[[int], Awaitable[PriorMessages]]
"""Gives what was said in so many turns before the one that is judged."""


class NoVerdictError(Exception):
    """The guard does not answer in time, or cannot judge: nothing may pass."""


async def verdict_on(
    client: Client, question: AskForCheck, timeout_s: float, earlier: ReadPriorMessages
) -> Verdict:
    """Ask the guard, and once more with earlier turns if it wants them.

    Each answer may take `timeout_s`, also if the guard restarts meanwhile. Raises
    `NoVerdictError`, and what `earlier` raises.
    """
    answer = await _answer(client, question, timeout_s)
    if isinstance(answer, NeedsHistory) and not question.whole:
        messages, whole = await earlier(answer.turns)
        conversation = [*messages, *question.conversation]
        question = replace(question, conversation=conversation, whole=whole)
        answer = await _answer(client, question, timeout_s)
    match answer:
        case Verdict():
            return answer
        case NeedsHistory():
            raise NoVerdictError("needs_history")
        case Refusal():
            raise NoVerdictError(answer.failure.code)


async def _answer(
    client: Client, question: AskForCheck, timeout_s: float
) -> Verdict | NeedsHistory | Refusal:
    try:
        return await ask_patiently(client, GUARD_CHECK, question, timeout_s, timeout_s)
    except UnansweredQueryError as error:
        raise NoVerdictError(question.check_type) from error


def input_question(request: Requested) -> AskForCheck:
    """Ask about all that a request brings and its model will read.

    What an earlier turn brought was judged then; a guard that wants to read it asks for it.
    """
    items = [*_instructions(request), *request.input]
    form = mapping(request.params.get("text"))
    read = [*items, *objects(request.params.get("tools")), form]
    return AskForCheck(
        check_type="input",
        input="\n".join(texts(read)),
        application_id=request.application,
        conversation=spoken(items),
        whole=request.previous_response_id is None,
    )


def items_question(items: list[Item], application: str | None, *, whole: bool) -> AskForCheck:
    """Ask about items that are put into a conversation; `whole`: nothing came before them."""
    return AskForCheck(
        check_type="input",
        input="\n".join(texts(items)),
        application_id=application,
        conversation=spoken(items),
        whole=whole,
    )


def tool_question(request: Requested, output: str) -> AskForCheck:
    """Ask about what a tool answered."""
    message = GuardMessage("user", output)
    return AskForCheck("tool_output", output, request.application, conversation=[message])


def output_question(request: Requested, text: str, shown: str) -> AskForCheck:
    """Ask about `text`, the newest part of what a model answers; `shown` is all of it so far."""
    question = spoken([*_instructions(request), *request.input])
    return AskForCheck(
        check_type="output",
        input=text,
        application_id=request.application,
        conversation=[*question, GuardMessage("assistant", shown)],
        whole=request.previous_response_id is None,
    )


def _instructions(request: Requested) -> list[Item]:
    if not request.instructions:
        return []
    return [{"type": "message", "role": "developer", "content": request.instructions}]
