"""The guard hears every text of the input, and its silence blocks."""

from collections.abc import AsyncGenerator

import nats
import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.request_reply.verdicts import PriorMessages, input_question
from turnwire_contracts.events import Failure, Item
from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    GuardMessage,
    GuardViolation,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_contracts.wire.texts import texts
from turnwire_orchestrator.clients.guard_client import GuardService
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_testing.examples import OTHER_ID, requested, user

ITEMS: list[Item] = [
    user("plain"),
    {
        "type": "message",
        "role": "system",
        "content": [
            {"type": "input_text", "text": "part"},
            {"type": "input_image", "image_url": "data:,"},
        ],
    },
    {"type": "function_call", "name": "f", "call_id": "c", "arguments": '{"a":1}'},
    {"type": "function_call_output", "call_id": "c", "output": "result"},
    {
        "type": "function_call_output",
        "call_id": "c",
        "output": [{"type": "input_text", "text": "rich"}],
    },
]


QUESTION = input_question(requested(input=ITEMS, previous_response_id=OTHER_ID))


async def nothing_before(_: int) -> PriorMessages:
    return [], True


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await nats.connect(nats_url)
    yield connected
    await connected.close()


async def guard_says(client: Client, answer: Verdict | Refusal) -> list[AskForCheck]:
    """Answer every question like this; gives the questions as they come."""
    asked: list[AskForCheck] = []

    async def on_question(message: Msg) -> None:
        asked.append(GUARD_CHECK.decode_question(message.data))
        await message.respond(GUARD_CHECK.encode_answer(answer))

    await client.subscribe(GUARD_CHECK.subject, cb=on_question)
    await client.flush()
    return asked


def test_every_text_of_the_input_is_found() -> None:
    assert texts(ITEMS) == ["plain", "part", "f", '{"a":1}', "result", "rich"]


async def test_the_whole_input_is_checked(client: Client) -> None:
    asked = await guard_says(client, Verdict(safe=True))
    assert await GuardService(client, 5.0).check(QUESTION, nothing_before) == Verdict(safe=True)
    assert asked == [QUESTION]


async def test_a_guard_that_wants_more_of_the_conversation_is_told_it(client: Client) -> None:
    asked: list[AskForCheck] = []

    async def on_question(message: Msg) -> None:
        asked.append(GUARD_CHECK.decode_question(message.data))
        told = Verdict(safe=True) if len(asked) > 1 else NeedsHistory(3)
        await message.respond(GUARD_CHECK.encode_answer(told))

    async def earlier(turns: int) -> PriorMessages:
        return [GuardMessage("user", f"{turns} turns ago")], False

    await client.subscribe(GUARD_CHECK.subject, cb=on_question)
    await client.flush()
    await GuardService(client, 5.0).check(QUESTION, earlier)
    conversation = [GuardMessage("user", "3 turns ago"), *QUESTION.conversation]
    assert asked == [QUESTION, replace(QUESTION, conversation=conversation, whole=False)]


async def test_violations_are_given_as_the_guard_says_them(client: Client) -> None:
    unsafe = Verdict(safe=False, violations=[GuardViolation("pii", "regex", "mail", 0)])
    await guard_says(client, unsafe)
    assert await GuardService(client, 5.0).check(QUESTION, nothing_before) == unsafe


@pytest.mark.parametrize("answers", [False, True], ids=["silent", "refuses"])
async def test_a_guard_without_a_verdict_blocks(client: Client, *, answers: bool) -> None:
    if answers:
        await guard_says(client, Refusal(Failure(503, "server_error", "broken", "No model.")))
    with pytest.raises(TurnFailedError) as raised:
        await GuardService(client, 5.0).check(QUESTION, nothing_before)
    assert (raised.value.failure.http_status, raised.value.failure.code) == (
        503,
        "guard_unavailable",
    )
