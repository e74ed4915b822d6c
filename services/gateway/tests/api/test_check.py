"""`POST /v1/check`: what the guard says, and what a client hears when it says nothing."""

import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    GuardMessage,
    GuardViolation,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_testing.asgi import Exchange
from turnwire_testing.gateway import Api, error_of

HATE = GuardViolation("S10", "llama-guard-3", "safety", 2, "Hate")
MAIL = GuardViolation("email", "regex", "pii", 1)


class Guard:
    """Gives one answer, and remembers what it was asked."""

    def __init__(self, answer: Verdict | NeedsHistory | Refusal) -> None:
        """Say this to everything."""
        self.asked: list[AskForCheck] = []
        self._answer = answer

    async def start(self, client: Client) -> "Guard":
        """Listen from now on."""
        await client.subscribe(GUARD_CHECK.subject, cb=self._on_question)
        await client.flush()
        return self

    async def _on_question(self, message: Msg) -> None:
        self.asked.append(GUARD_CHECK.decode_question(message.data))
        await message.respond(GUARD_CHECK.encode_answer(self._answer))


async def check(api: Api, **fields: object) -> Exchange:
    body: JSON = {"check_type": "input", "input": "Hello?", **fields}
    return await api.call("POST", "/v1/check", body)


async def test_what_may_pass_is_safe_whatever_else_a_verdict_says(api: Api, client: Client) -> None:
    guard = await Guard(Verdict(safe=True, output="held")).start(client)

    exchange = await check(api, application_id="shop", context={"a": 1}, later="x")

    assert (exchange.status, exchange.json) == (200, {"safe": True, "violations": []})
    assert [replace(asked, correlation=None) for asked in guard.asked] == [
        AskForCheck("input", "Hello?", "shop", {"a": 1}, [GuardMessage("user", "Hello?")])
    ]


async def test_violations_are_an_answer_with_a_reason_where_there_is_one(
    api: Api, client: Client
) -> None:
    await Guard(Verdict(safe=False, violations=[MAIL, HATE])).start(client)

    exchange = await check(api, check_type="output")

    assert exchange.status == 200
    assert exchange.json == {
        "safe": False,
        "violations": [
            {"category": "email", "provider": "regex", "stage": "pii", "step": 1},
            {
                "category": "S10",
                "provider": "llama-guard-3",
                "stage": "safety",
                "step": 2,
                "reason": "Hate",
            },
        ],
    }


async def test_all_text_of_items_is_checked_and_told_as_a_conversation(
    api: Api, client: Client
) -> None:
    guard = await Guard(Verdict(safe=True)).start(client)
    items = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {"type": "function_call_output", "call_id": "c", "output": "d"},
    ]

    assert (await check(api, input=items)).status == 200
    (asked,) = guard.asked
    assert (asked.input, asked.whole) == ("a\nb\nd", True)
    assert asked.conversation == [
        GuardMessage("user", "a"),
        GuardMessage("assistant", "b"),
        GuardMessage("user", "d"),
    ]


@pytest.mark.parametrize(
    "answer",
    [Refusal(Failure(503, "server_error", "guard_unavailable", "Down.")), NeedsHistory(3), None],
    ids=["refuses", "asks back", "is not there"],
)
async def test_no_verdict_is_never_taken_for_safe(
    api: Api, client: Client, answer: NeedsHistory | Refusal | None
) -> None:
    if answer is not None:
        await Guard(answer).start(client)

    exchange = await check(api)

    assert error_of(exchange) == (503, "guard_unavailable")
    assert exchange.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"check_type": "inputs"}, "check_type", "invalid_value"),
        ({"check_type": None}, "check_type", "invalid_value"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"application_id": 3}, "application_id", "invalid_value"),
        ({"context": "x"}, "context", "invalid_value"),
    ],
)
async def test_what_cannot_be_checked_is_refused_by_its_field(
    api: Api, fields: JSON, param: str, code: str
) -> None:
    exchange = await check(api, **fields)

    assert error_of(exchange) == (400, code)
    assert exchange.json["error"]["param"] == param


async def test_the_kind_of_check_must_be_said(api: Api) -> None:
    exchange = await api.call("POST", "/v1/check", {"input": "x"})

    assert error_of(exchange) == (400, "missing_required_parameter")
    assert exchange.json["error"]["param"] == "check_type"
