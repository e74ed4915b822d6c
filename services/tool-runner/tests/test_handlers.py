"""What the tool-runner answers to bytes, good and bad; it always answers."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from turnwire_chassis.circuit_breaker import BreakerRules
from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Refusal
from turnwire_contracts.tools import (
    TOOLS_CALL,
    TOOLS_LIST,
    AskForCall,
    AskForTools,
    Called,
    CallError,
    Tool,
    Tools,
    ToolServer,
)
from turnwire_testing.waiting import eventually
from turnwire_tool_runner.calling.call_limiter import CallLimiter, CallLimits
from turnwire_tool_runner.handlers import ToolHandlers, ToolRunnerPorts
from turnwire_tool_runner.tool_servers import (
    CallObserver,
    Listing,
    Target,
    TenantServer,
    ToolCallRequest,
    ToolOutcome,
    ToolServerError,
)

TENANT = TenantId("acme")
SERVER = ToolServer("weather", "http://tools/mcp")
QUESTION = AskForTools(TENANT, SERVER, timeout_s=3)
CALL = AskForCall(TENANT, SERVER, "mcp_1", "forecast", '{"city": "Bonn"}', timeout_s=3)
TOOL = Tool(name="forecast", input_schema={"type": "object"})
RULES = CallLimits(in_all=4, per_server=2, per_tenant=4, breaker=BreakerRules(2, 60))
SECRET = "s3cret-token"  # noqa: S105 -- an example
TARGET = Target(SERVER.url, secrets=(SECRET,))
WITHIN_S = 30


@dataclass
class FakeServers:
    """Offers one tool and answers, fails, or waits; keeps what it was asked."""

    error: Exception | None = None
    text: str = "Rain."
    may_answer: asyncio.Event | None = None
    loads_s: float = 0.0
    asked: list[ToolCallRequest | None] = field(default_factory=list[ToolCallRequest | None])
    target: Target = TARGET
    told: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    async def prepare(self) -> None:
        # As long as a busy machine takes; what is waited for here is that time passes.
        await asyncio.sleep(self.loads_s)

    async def list_tools(self, visit: TenantServer) -> Listing:
        assert visit == TenantServer(TENANT, self.target)
        await self._answer(None)
        return Listing([TOOL, Tool(name="other", input_schema={})], ("torn",))

    async def call(
        self, visit: TenantServer, call: ToolCallRequest, observer: CallObserver
    ) -> ToolOutcome:
        assert visit.tenant == TENANT
        observer.leaving()
        await observer.progressed(f"half, {SECRET}")
        await self._answer(call)
        return ToolOutcome(self.text)

    def find(self, question: AskForTools | AskForCall) -> Target:
        if question.server.label == "nobody":
            raise ToolServerError("unknown_tool_server", "No.")
        return self.target

    async def tell(self, subject: str, body: bytes) -> None:
        self.told.append((subject, json.loads(body)))

    async def _answer(self, call: ToolCallRequest | None) -> None:
        self.asked.append(call)
        if self.may_answer is not None:
            await self.may_answer.wait()
        if self.error is not None:
            raise self.error


def handlers(servers: FakeServers, longest_answer: int = 1_000_000) -> ToolHandlers:
    ports = ToolRunnerPorts(servers, servers, servers.tell, lambda: longest_answer)
    return ToolHandlers(ports, CallLimiter(RULES), call_limit_s=100)


async def listed(servers: FakeServers, body: bytes, longest: int = 1_000_000) -> Tools | Refusal:
    return TOOLS_LIST.decode_answer(await handlers(servers, longest).list_tools(body))


async def called(servers: FakeServers, question: AskForCall = CALL) -> Called | Refusal:
    return TOOLS_CALL.decode_answer(
        await handlers(servers).call_tool(TOOLS_CALL.encode_question(question))
    )


async def test_what_the_first_question_loads_takes_no_time_of_its_server() -> None:
    servers, hasty = FakeServers(loads_s=0.2), 0.1

    body = TOOLS_LIST.encode_question(replace(QUESTION, timeout_s=hasty))
    assert await listed(servers, body) == Tools([TOOL, Tool("other", input_schema={})], ["torn"])
    assert await called(servers, replace(CALL, timeout_s=hasty)) == Called(output="Rain.")


def code_of(answer: Tools | Called | Refusal) -> str:
    assert isinstance(answer, Refusal)
    return answer.failure.code


async def test_the_tools_of_the_server_are_the_answer() -> None:
    answer = await listed(FakeServers(), TOOLS_LIST.encode_question(QUESTION))

    assert isinstance(answer, Tools)
    assert answer.tools[0] == TOOL


async def test_only_the_tools_that_the_operator_allows_are_seen() -> None:
    servers = FakeServers(target=Target("http://op/mcp", allowed=frozenset({"forecast"})))

    assert await listed(servers, TOOLS_LIST.encode_question(QUESTION)) == Tools([TOOL])


async def test_what_the_tool_answers_is_the_answer() -> None:
    servers = FakeServers()

    assert await called(servers) == Called(output="Rain.")
    assert servers.asked == [ToolCallRequest("forecast", {"city": "Bonn"})]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"tenant": 1}', b'{"tenant": "\xff"}'])
async def test_a_body_that_is_no_question_is_refused(body: bytes) -> None:
    servers = FakeServers()

    assert code_of(await listed(servers, body)) == "invalid_question"
    answer = TOOLS_CALL.decode_answer(await handlers(servers).call_tool(body))
    assert code_of(answer) == "invalid_question"
    assert servers.asked == []


@pytest.mark.parametrize("call_id", ["", "a.b", ">", "a b", "a\r\nPUB x 0"])
async def test_an_id_that_cannot_be_in_a_subject_is_refused(call_id: str) -> None:
    servers = FakeServers()
    question = AskForCall(TENANT, SERVER, call_id, "forecast", "{}")

    assert code_of(await called(servers, question)) == "invalid_question"
    assert servers.asked == servers.told == []


async def test_arguments_that_are_no_object_are_a_failed_call_that_nobody_got() -> None:
    servers = FakeServers()
    answer = await called(servers, AskForCall(TENANT, SERVER, "mcp_1", "forecast", "[]"))

    assert answer == Called(
        error=CallError(
            "mcp_protocol_error", "The arguments are no JSON object.", -32602, unsent=True
        )
    )
    assert servers.asked == []


async def test_a_server_that_is_not_known_is_refused() -> None:
    question = AskForCall(TENANT, ToolServer("nobody"), "mcp_1", "forecast", "{}")

    assert code_of(await called(FakeServers(), question)) == "unknown_tool_server"


async def test_a_list_that_the_broker_would_not_carry_is_refused() -> None:
    answer = await listed(FakeServers(), TOOLS_LIST.encode_question(QUESTION), longest=10)

    assert isinstance(answer, Refusal)
    assert (answer.failure.http_status, answer.failure.code) == (424, "mcp_protocol_error")


async def test_a_bug_is_an_internal_error_that_tells_nothing_of_itself() -> None:
    for answer in (
        await listed(
            FakeServers(ZeroDivisionError("secret")), TOOLS_LIST.encode_question(QUESTION)
        ),
        await called(FakeServers(ZeroDivisionError("secret"))),
    ):
        assert isinstance(answer, Refusal)
        assert (answer.failure.http_status, answer.failure.code) == (500, "tool_runner_error")
        assert "secret" not in answer.failure.message


async def test_secrets_are_in_no_answer_and_in_no_sign_of_life() -> None:
    servers = FakeServers(text=f"You are {SECRET}.", may_answer=asyncio.Event())
    calling = asyncio.create_task(called(servers))

    async def has_told() -> bool:
        return bool(servers.told)

    await eventually(has_told)
    assert servers.may_answer
    servers.may_answer.set()

    assert await calling == Called(output="You are [redacted].")
    subject = subjects.tool_progress("mcp_1")
    assert servers.told == [(subject, {"call_id": "mcp_1", "message": "half, [redacted]"})]


async def test_a_list_is_watched_like_a_call_and_tells_what_was_left_out() -> None:
    servers = FakeServers(may_answer=asyncio.Event())
    runner = handlers(servers)
    listing = asyncio.create_task(
        runner.list_tools(TOOLS_LIST.encode_question(replace(QUESTION, call_id="list_1")))
    )

    async def has_told() -> bool:
        return bool(servers.told)

    await eventually(has_told)
    assert servers.told[0][0] == subjects.tool_progress("list_1")
    assert servers.may_answer
    servers.may_answer.set()

    answer = TOOLS_LIST.decode_answer(await listing)
    assert isinstance(answer, Tools)
    assert answer.left_out == ["torn"]


async def test_a_list_is_given_up_by_its_id() -> None:
    servers = FakeServers(may_answer=asyncio.Event())
    runner = handlers(servers)
    question = TOOLS_LIST.encode_question(replace(QUESTION, call_id="list_1"))
    listing = asyncio.create_task(runner.list_tools(question))

    async def is_asked() -> bool:
        return bool(servers.asked)

    await eventually(is_asked)
    runner.cancel(subjects.tool_cancel("list_1"))

    assert isinstance(TOOLS_LIST.decode_answer(await listing), Refusal)


async def test_a_call_is_given_up_by_its_id() -> None:
    servers = FakeServers(may_answer=asyncio.Event())
    runner = handlers(servers)
    calling = asyncio.create_task(runner.call_tool(TOOLS_CALL.encode_question(CALL)))

    async def is_asked() -> bool:
        return bool(servers.asked)

    await eventually(is_asked)

    runner.cancel(subjects.tool_cancel("mcp_2"))
    await asyncio.sleep(0)
    assert not calling.done()
    runner.cancel(subjects.tool_cancel("mcp_1"))

    answer = TOOLS_CALL.decode_answer(await calling)
    assert answer == Called(error=CallError("mcp_protocol_error", "cancelled"))
    runner.cancel(subjects.tool_cancel("mcp_1"))


async def test_a_server_that_is_dead_is_not_waited_for_again_and_again() -> None:
    servers = FakeServers(error=ToolServerError("mcp_unreachable", "No.", unsent=True))
    runner = handlers(servers)

    for _ in range(5):
        answer = TOOLS_CALL.decode_answer(await runner.call_tool(TOOLS_CALL.encode_question(CALL)))
        assert isinstance(answer, Called)
        assert answer.error
        assert (answer.error.type, answer.error.unsent) == ("http_error", True)

    assert len(servers.asked) == 2


async def test_the_operators_patience_beats_the_callers() -> None:
    servers = FakeServers(may_answer=asyncio.Event())
    servers.target = Target(SERVER.url, timeout_s=0.05)

    async with asyncio.timeout(WITHIN_S):
        answer = await called(servers)

    assert isinstance(answer, Called)
    assert answer.error
    assert answer.error.message == "It did not answer within 0.05 s."
    assert not answer.error.unsent
