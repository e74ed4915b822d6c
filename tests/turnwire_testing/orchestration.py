"""An orchestrator in memory: real handlers between doubles of every port."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import orjson

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.delivery import Delivery
from turnwire_chassis.request_reply.verdicts import ReadPriorMessages
from turnwire_contracts import codec, subjects
from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.events import AnyEvent, Failure, OutputCheck, Requested
from turnwire_contracts.ids import OwnerId, ResponseId, TenantId, TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_contracts.queries import AskForCheck, GuardMessage, GuardViolation, Refusal, Verdict
from turnwire_contracts.tools import AskForCall, AskForTools, Called, Tool, Tools
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.webhooks.delivery import WebhookDelivery
from turnwire_contracts.wire.frames import FrameMessage, payload, split
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.handlers import TurnHandlers
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import Backend, BackendStream, TurnPolicy, TurnRunnerPorts
from turnwire_orchestrator.prompting.dialect import Dialect
from turnwire_orchestrator.prompting.history import HistoryTurn, past_of
from turnwire_orchestrator.prompting.prompt import Prompt
from turnwire_orchestrator.prompting.responses_body import responses_body
from turnwire_testing.examples import AT, requested, taken_over
from turnwire_testing.memory_event_log import MemoryEventLog
from turnwire_testing.memory_output_log import MemoryOutputLog

POLICY = TurnPolicy(
    default_instructions=None,
    inherit_instructions=True,
    turn_timeout_s=5.0,
    background_timeout_s=5.0,
)


class Hold:
    """A place in a sample where the backend says nothing until `release`."""

    def __init__(self) -> None:
        """Nothing has come here yet."""
        self.reached = asyncio.Event()
        self._go_on = asyncio.Event()
        self.left = False
        """Whether the sample was given up here."""

    def release(self) -> None:
        """Let the sample go on."""
        self._go_on.set()

    async def wait(self) -> None:
        """Stop here."""
        self.reached.set()
        try:
            await self._go_on.wait()
        except asyncio.CancelledError:
            self.left = True
            raise


Step = bytes | Hold | Failure
"""The data of one event, a pause, or the failure that breaks the stream."""

Before = Hold | Failure | TurnFailedError | None
"""What happens before a sample is accepted: a pause, or a refusal."""


class ScriptedSamples:
    """`Backend` that plays prepared samples; each event comes in a read of its own."""

    def __init__(self) -> None:
        """Have nothing to say."""
        self.bodies: list[JSON] = []
        self.heard: list[int] = []
        """How many events came with each read."""
        self._samples: list[tuple[Before, Sequence[Step]]] = []

    def plays(self, *steps: Step, before: Before = None) -> None:
        """Prepare the next sample; `before`: what happens before it is accepted."""
        self._samples.append((before, steps))

    @asynccontextmanager
    async def sample(self, prompt: Prompt) -> AsyncGenerator[BackendStream]:
        """See `Backend.sample`."""
        self.bodies.append(orjson.loads(responses_body(prompt, Dialect.PLAIN)))
        before, steps = self._samples.pop(0)
        if isinstance(before, Hold):
            await before.wait()
        elif isinstance(before, TurnFailedError):
            raise before
        elif before is not None:
            raise TurnFailedError(before)
        limit = prompt.request.params.get("max_output_tokens")
        reader = partial(Reader, max_output_tokens=limit)
        yield BackendStream(each_read(steps), reader, self.heard.append)


async def each_read(steps: Sequence[Step]) -> AsyncIterator[list[bytes]]:
    """Give each event in a read of its own."""
    for step in steps:
        match step:
            case Hold():
                await step.wait()
            case Failure():
                raise TurnFailedError(step)
            case bytes():
                yield [step]


class MemoryHistories:
    """`Histories` of what was remembered."""

    def __init__(self) -> None:
        """Know nothing."""
        self.known: dict[ResponseId, HistoryTurn] = {}

    async def past(
        self, tenant: TenantId, response_id: ResponseId, reader: OwnerId | None
    ) -> HistoryTurn:
        """See `Histories.past`."""
        del tenant
        known = self.known.get(response_id)
        if known is None or reader not in (None, known.owner):
            raise TurnFailedError(previous_not_found(response_id))
        return known

    def remember(self, turn: ClosedTurn, parent: HistoryTurn | None) -> None:
        """See `Histories.remember`."""
        if turn.closed.stored:
            self.known[turn.request.response_id] = past_of(turn, parent)

    def forget(self) -> None:
        """See `Histories.forget`; there is nowhere to read again from."""


FORBIDDEN: JSON = {"category": "secret", "provider": "regex", "stage": "words", "step": 1}


class ScriptedGuard:
    """`Guard` that finds what it is told to find."""

    def __init__(self) -> None:
        """Find nothing."""
        self.violations: list[dict[str, Any]] = []
        self.violations_of: dict[str, list[dict[str, Any]]] = {}
        """By type of check, where that finds something else."""
        self.failure: Failure | None = None
        self.failure_of: dict[str, Failure] = {}
        self.output: OutputCheck = "unchecked"
        self.forbidden: str | None = None
        """A word that no output may have."""
        self.wants: int = 0
        """How many earlier turns it wants to know."""
        self.holds: dict[str, Hold] = {}
        self.asked: list[AskForCheck] = []
        self.earlier: list[GuardMessage] = []

    def asked_about(self, check_type: str) -> list[str]:
        """Give the texts that checks of a type were asked about."""
        return [each.input for each in self.asked if each.check_type == check_type]

    async def check(self, question: AskForCheck, earlier: ReadPriorMessages) -> Verdict:
        """See `Guard.check`."""
        self.asked.append(question)
        kind = question.check_type
        if kind in self.holds:
            await self.holds[kind].wait()
        if self.wants and not question.whole:
            self.earlier, _ = await earlier(self.wants)
        if failure := self.failure_of.get(kind, self.failure):
            raise TurnFailedError(failure)
        found = self.violations_of.get(kind, [] if kind == "output" else self.violations)
        if kind == "output" and self.forbidden and self.forbidden in question.input:
            found = [FORBIDDEN]
        violations = msgspec.convert(found, list[GuardViolation])
        return Verdict(safe=not found, violations=violations, output=self.output)


UNREACHABLE = Failure(424, "external_connector_error", "mcp_unreachable", "It is not there.")


class ScriptedTools:
    """`ToolServers` that offer and answer what they are told."""

    def __init__(self) -> None:
        """Offer nothing."""
        self.offers: dict[str, list[Tool]] = {}
        self.answers: dict[str, Called | Refusal | None] = {}
        self.holds: dict[str, Hold] = {}
        self.listed: list[AskForTools] = []
        self.calls: list[AskForCall] = []

    async def tools(self, question: AskForTools) -> Tools:
        """See `ToolServers.tools`."""
        self.listed.append(question)
        if question.server.label not in self.offers:
            raise TurnFailedError(UNREACHABLE)
        return Tools(self.offers[question.server.label])

    async def call(self, question: AskForCall) -> Called | Refusal | None:
        """See `ToolServers.call`."""
        self.calls.append(question)
        if question.name in self.holds:
            await self.holds[question.name].wait()
        return self.answers.get(question.name, Called(output=f"{question.name} said so"))


class ListeningMeter:
    """`Meter` that remembers."""

    def __init__(self) -> None:
        """Have heard of nothing."""
        self.heard: list[TurnEnded] = []

    async def ended(self, notice: TurnEnded) -> None:
        """See `Meter.ended`."""
        self.heard.append(notice)


class KeptWebhooks:
    """`Webhooks` that remember."""

    def __init__(self) -> None:
        """Have been told nothing."""
        self.kept: list[WebhookDelivery] = []
        self.away = False

    async def put(self, deliveries: Iterable[WebhookDelivery]) -> None:
        """See `Webhooks.put`."""
        if self.away:
            raise LogUnavailableError("no broker")
        self.kept += deliveries


class LivingOwners:
    """`Owners` of other processes: those that a test names live."""

    def __init__(self) -> None:
        """Nobody works on anything elsewhere."""
        self.living: set[TurnKey] = set()

    async def is_running(self, turn: TurnKey) -> bool:
        """See `Owners.is_running`."""
        return turn in self.living


@dataclass
class World:
    """All that is outside the orchestrators; they come and go."""

    log: MemoryEventLog = field(default_factory=MemoryEventLog)
    output: MemoryOutputLog = field(default_factory=MemoryOutputLog)
    backend: ScriptedSamples = field(default_factory=ScriptedSamples)
    histories: MemoryHistories = field(default_factory=MemoryHistories)
    guard: ScriptedGuard = field(default_factory=ScriptedGuard)
    tools: ScriptedTools = field(default_factory=ScriptedTools)
    usage_publisher: ListeningMeter = field(default_factory=ListeningMeter)
    webhooks: KeptWebhooks = field(default_factory=KeptWebhooks)
    owners: LivingOwners = field(default_factory=LivingOwners)
    policy: TurnPolicy = POLICY
    asks: Backend | None = None
    """The backend, where it is not the scripted one."""
    answers: list[FrameMessage] = field(default_factory=list[FrameMessage])
    _ticks: int = 0

    def orchestrator(self, claim: str = "first") -> TurnHandlers:
        """Start an orchestrator."""
        return TurnHandlers(self.ports(claim))

    def ports(self, claim: str = "first") -> TurnRunnerPorts:
        """Give what an orchestrator stands on."""
        return TurnRunnerPorts(
            log=self.log,
            output=self.output,
            backend=self.asks or self.backend,
            histories=self.histories,
            guard=self.guard,
            tools=self.tools,
            usage_publisher=self.usage_publisher,
            webhooks=self.webhooks,
            owners=self.owners,
            policy=self.policy,
            now_ms=self._now_ms,
            claim=claim,
        )

    async def request(self, **changes: Any) -> Requested:
        """Request a turn as the gateway does, listening for its answer."""
        request = requested(**changes)
        await self.output.await_answer(request.turn_key, self.answers.append)
        await self.log.append(request, None)
        return request

    async def claims(self, request: Requested, owners: int) -> None:
        """Let so many owners have claimed a turn, and vanished."""
        key = {"tenant": request.tenant, "response_id": request.response_id}
        for number in range(owners):
            await self.log.append(taken_over(**key, cause=f"owner {number}"), None)

    async def delivery(self, request: Requested, attempt: int = 1) -> Delivery:
        """Give the message that hands a turn to an orchestrator."""
        recorded = await self.log.read(request.tenant, request.response_id)
        subject = subjects.turn_event(request.tenant, request.response_id, "requested")
        body = codec.encode(request)
        sequence = recorded[0].sequence if recorded else 1
        published = asyncio.get_running_loop().time() - (AT - request.at) / 1000
        return Delivery(subject, body, sequence, attempt, published)

    async def run(self, request: Requested, attempt: int = 1, claim: str = "first") -> None:
        """Let one orchestrator drive a turn to its end."""
        await self.orchestrator(claim).requested(await self.delivery(request, attempt))

    async def events(self, request: Requested) -> list[AnyEvent]:
        """Give what the log holds of a turn."""
        recorded = await self.log.read(request.tenant, request.response_id)
        return [each.event for each in recorded]

    async def kinds(self, request: Requested) -> list[str]:
        """Name what the log holds of a turn."""
        return [kind_of(event) for event in await self.events(request)]

    async def closed(self, request: Requested) -> ClosedTurn:
        """Give a turn that must have ended."""
        turn = fold(await self.events(request))
        assert isinstance(turn, ClosedTurn), turn
        return turn

    async def frames(self, request: Requested) -> list[bytes]:
        """Give the published frames, which must follow one another without gap or repetition."""
        frames: list[bytes] = []
        for message in await self.output.read(request.turn_key):
            assert message.kind != "A", message
            assert message.first == len(frames), (message, len(frames))
            frames += split(message.body)
            assert message.end == len(frames), (message, len(frames))
        return frames

    async def stream(self, request: Requested) -> list[JSON]:
        """Give the published events."""
        return [payload(frame) for frame in await self.frames(request)]

    @property
    def answer(self) -> tuple[int, JSON]:
        """Give the one answer there was: its HTTP status and body."""
        (message,) = self.answers
        return message.first, orjson.loads(message.body)

    def _now_ms(self) -> int:
        self._ticks += 1
        return AT + self._ticks
