"""A background turn is promised only when its input may pass."""

import asyncio

import msgspec
import pytest
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.request_reply.verdicts import input_question
from turnwire_contracts.events import Failure
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, GuardViolation, Refusal, Verdict
from turnwire_gateway.admission.input_check import InputCheck
from turnwire_gateway.auth.caller import LOCAL
from turnwire_gateway.errors import ApiError
from turnwire_gateway.store_client import StoreClient
from turnwire_testing.examples import requested, user

REQUEST = requested(background=True, screen=True, input=[user("one"), user("two")])
VIOLATION = GuardViolation("pii", "regex", "emails", 0)


def check_with(client: Client, timeout_s: float = 2.0) -> InputCheck:
    """Give what is tested."""
    return InputCheck(client, StoreClient(client), timeout_s, on=True)


async def nowhere() -> ResponseId | None:
    """Continue nothing."""
    return None


class Guard:
    """Gives one verdict, and remembers what it was asked."""

    def __init__(self, verdict: Verdict | Refusal) -> None:
        """Find this in everything."""
        self.asked: list[AskForCheck] = []
        self._verdict = verdict

    async def start(self, client: Client) -> None:
        """Listen from now on."""
        await client.subscribe(GUARD_CHECK.subject, cb=self._on_question)
        await client.flush()

    async def _on_question(self, message: Msg) -> None:
        self.asked.append(GUARD_CHECK.decode_question(message.data))
        await message.respond(GUARD_CHECK.encode_answer(self._verdict))


async def refusal_of(check: InputCheck) -> Failure:
    """Check the request, which must be refused."""
    with pytest.raises(ApiError) as raised:
        await check.passed(LOCAL, REQUEST, nowhere)
    return raised.value.failure


async def test_what_passes_is_not_checked_again(client: Client) -> None:
    guard = Guard(Verdict(safe=True, output="at_end"))
    await guard.start(client)
    passed = await check_with(client).passed(LOCAL, REQUEST, nowhere)
    assert passed == replace(REQUEST, screened="at_end")
    assert guard.asked == [input_question(REQUEST)]
    assert guard.asked[0].input == "one\ntwo"


async def test_what_breaks_the_policy_is_refused_with_its_violations(client: Client) -> None:
    await Guard(Verdict(safe=False, violations=[VIOLATION])).start(client)
    failure = await refusal_of(check_with(client))
    assert (failure.http_status, failure.code, failure.param) == (400, "content_filter", "input")
    assert failure.violations == [msgspec.to_builtins(VIOLATION)]


@pytest.mark.parametrize("refuses", [True, False], ids=["refuses", "is not there"])
async def test_without_a_verdict_nothing_passes(client: Client, *, refuses: bool) -> None:
    if refuses:
        await Guard(Refusal(Failure(503, "server_error", "down", "Down."))).start(client)
    failure = await refusal_of(check_with(client))
    assert (failure.http_status, failure.code) == (503, "guard_unavailable")


async def test_a_guard_that_takes_too_long_gives_no_verdict(client: Client) -> None:
    asked = asyncio.Event()

    async def on_question(_: Msg) -> None:
        asked.set()

    await client.subscribe(GUARD_CHECK.subject, cb=on_question)
    await client.flush()
    assert (await refusal_of(check_with(client, 0.05))).code == "guard_unavailable"
    assert asked.is_set()


async def test_without_a_policy_nobody_is_asked(client: Client) -> None:
    request = requested(background=True)
    assert await check_with(client).passed(LOCAL, request, nowhere) is request
