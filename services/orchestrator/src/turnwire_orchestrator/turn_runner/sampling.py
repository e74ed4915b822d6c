"""One sample: ask the model, pass on what it says as it says it, come back with the whole.

What a sample stands on is read once a turn: the history before it, and the instructions.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from importlib.metadata import version
from typing import Final

from msgspec.structs import replace

from turnwire_chassis.crash_points import reached
from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.events import Failure, Item, Requested, Status
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.refusals import item_not_found
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Finish
from turnwire_orchestrator.failures import (
    PromptTooLongError,
    TurnFailedError,
    is_worth_another_server,
)
from turnwire_orchestrator.guarding.output_buffer import OutputBlockedError, OutputBuffer
from turnwire_orchestrator.ports import SampleOutcome, SentPrompt, StreamReader, TurnRunnerPorts
from turnwire_orchestrator.prompting.history import (
    HistoryTurn,
    PromptContext,
    instructions_for,
    mistake_in_pairs,
    unknown_reference,
)
from turnwire_orchestrator.prompting.prompt import Prompt, prompt_for
from turnwire_orchestrator.prompting.shortening import shortened
from turnwire_orchestrator.turn_runner.channel import Channel

VERSION: Final = version("turnwire-orchestrator")

_DIGEST_BYTES: Final = 16

OPEN_AFTER_S = 1.0
"""A stream starts when the backend has accepted, so that a refusal is a plain HTTP error; one that
takes longer than this to answer is trusted to accept."""

_MOST_TRIES = 8
"""How often a prompt that is too long is shortened: halved each time, a 256th is left."""


async def context_of(request: Requested, ports: TurnRunnerPorts) -> PromptContext:
    """Read what a request stands on.

    Raises `TurnFailedError`: its history is missing, still runs or cannot be read, it refers to an
    item that the history does not have, or it answers calls that are not there.
    """
    past = None
    if request.previous_response_id is not None:
        # Who may speak in a conversation may hear what others said in it.
        reader = None if request.conversation else request.owner
        previous = request.previous_response_id
        past = await ports.histories.past(request.tenant, previous, reader)
    if (unknown := unknown_reference(request, past)) is not None:
        raise TurnFailedError(item_not_found(unknown))
    if (failure := mistake_in_pairs(request, past)) is not None:
        raise TurnFailedError(failure)
    policy = ports.policy
    default, inherit = policy.default_instructions, policy.inherit_instructions
    return PromptContext(past, instructions_for(request, past, default, inherit=inherit))


def recorded_sample(sent: SentPrompt | None, asked_at: int) -> SampleRecord | None:
    """Say how a model was asked; `asked_at`: Unix time in milliseconds."""
    if sent is None:
        return None
    return SampleRecord(VERSION, sent.api, sent.dialect, digest(sent.body), asked_at)


def digest(body: bytes) -> str:
    """Give the digest of a request's body."""
    return blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()


class ModelSampler:
    """Samples once; `stopped` tells what is there when it is cut short."""

    def __init__(
        self,
        ports: TurnRunnerPorts,
        request: Requested,
        channel: Channel,
        rounds: Sequence[Item] = (),
        assembler: Assembler | None = None,
    ) -> None:
        """`rounds` is what this turn has said already; what comes now is told to `assembler`."""
        self._ports = ports
        self._request = request
        self._channel = channel
        self._rounds = rounds
        self._instructions: str | None = None
        self._assembler = channel.assembler(0) if assembler is None else assembler
        self._buffer: OutputBuffer | None = None
        self._reader: StreamReader | None = None
        self._server: str | None = None
        self._has_others = False

    def prefer(self, server: str | None) -> None:
        """Ask the server that gave the earlier samples of this turn, where it can be had."""
        self._server = server
        self._record: SampleRecord | None = None

    def hold_back(self, buffer: OutputBuffer | None) -> None:
        """Show only what has passed `buffer`, if there is one."""
        self._buffer = buffer

    async def run(self, context: PromptContext) -> Finish:
        """Sample to the end, good or bad; only being cancelled raises."""
        self._instructions = context.instructions
        timer = asyncio.get_running_loop().call_later(OPEN_AFTER_S, self._open_late)
        try:
            outcome = await self._sample_what_fits(self._prompt(context.history))
        except TurnFailedError as error:
            return self.stopped("failed", error.failure)
        except OutputBlockedError as error:
            blocked = replace(self.stopped("incomplete"), violations=error.violations)
            return replace(blocked, incomplete_reason="content_filter")
        except ValueError as error:
            return self.stopped("failed", failures.backend_broke_off(str(error)))
        finally:
            timer.cancel()
        return self._finish(outcome)

    def stopped(self, status: Status, failure: Failure | None = None) -> Finish:
        """Give what has been said so far; what is open ends as incomplete."""
        if self._reader is not None:
            self._reader.stop()
        self._assembler.end("incomplete")
        return self._finish(SampleOutcome(status=status, failure=failure))

    async def _sample_what_fits(self, prompt: Prompt) -> SampleOutcome:
        """Sample; where the client allows it, from as much of the prompt as the model reads."""
        for _ in range(_MOST_TRIES):
            try:
                return await self._sample_somewhere(prompt)
            except PromptTooLongError as error:
                if self._request.params.get("truncation") != "auto":
                    raise
                shorter = shortened(prompt, error.overflow.tokens, error.overflow.limit)
                if shorter is None:
                    raise
                prompt = shorter
        return await self._sample_somewhere(prompt)

    async def _sample_somewhere(self, prompt: Prompt) -> SampleOutcome:
        """Sample; a server that accepts and fails before it says anything is replaced by another.

        What clients have seen until then are frames of ours, which stay true.
        """
        while True:
            self._has_others = False
            try:
                outcome = await self._sample(prompt)
            except TurnFailedError as error:
                if not self._may_ask_another(error.failure):
                    raise
            else:
                if outcome.failure is None or not self._may_ask_another(outcome.failure):
                    return outcome
            prompt = replace(prompt, tried=prompt.tried | {str(self._server)})

    def _may_ask_another(self, failure: Failure) -> bool:
        sink = self._assembler if self._buffer is None else self._buffer.held
        return self._has_others and not sink.items and is_worth_another_server(failure)

    async def _sample(self, prompt: Prompt) -> SampleOutcome:
        reached("backend.before")
        asked_at, first_at = self._ports.now_ms(), None
        async with self._ports.backend.sample(prompt) as answering:
            self._server, self._has_others = answering.server, answering.has_others
            self._record = record = recorded_sample(answering.sent, asked_at)
            buffer = self._buffer
            sink = self._assembler if buffer is None else buffer.held
            self._reader = reader = answering.reader(sink)
            await self._channel.open(self._instructions)
            async for events in answering.reads:
                answering.on_read(len(events))
                if first_at is None and events and record is not None:
                    first_at = self._ports.now_ms()
                    self._record = replace(record, first_at=first_at)
                for data in events:
                    reader.take(data)
                if buffer is not None:
                    await buffer.pass_on()
                await self._channel.flush()
                if reader.outcome is not None:
                    break
        reached("backend.after")
        outcome = reader.end()
        if outcome.failure and outcome.overflow and not sink.items:
            raise PromptTooLongError(outcome.failure, outcome.overflow)
        if buffer is not None:
            await buffer.pass_on()
        return outcome

    def _prompt(self, past: HistoryTurn | None) -> Prompt:
        return prompt_for(self._request, past, self._instructions, self._rounds, self._server)

    def _open_late(self) -> None:
        self._opening = asyncio.ensure_future(self._channel.open(self._instructions))

    def _finish(self, outcome: SampleOutcome) -> Finish:
        return Finish(
            at=self._ports.now_ms(),
            status=outcome.status,
            items=self._assembler.items,
            cuts=self._assembler.cuts if self._request.watched else [],
            runs=self._assembler.runs if self._request.watched else [],
            instructions=self._instructions,
            usage=outcome.usage,
            incomplete_reason=outcome.incomplete_reason,
            failure=outcome.failure,
            fields=outcome.fields,
            server=self._server,
            sample=self._record,
        )
