"""One sample: ask the model, pass on what it says as it says it, come back with the whole."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from turnwire_contracts.events import Failure, Item, Requested, Status
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Finish
from turnwire_orchestrator.driving.channel import Channel
from turnwire_orchestrator.guarding.judging import HeldBack, OutputBlockedError
from turnwire_orchestrator.inference.ending import Outcome
from turnwire_orchestrator.ports import Ports, PromptTooLongError, StreamReader, TurnFailedError
from turnwire_orchestrator.prompting.history import Past
from turnwire_orchestrator.prompting.prompt import Prompt, prompt_for
from turnwire_orchestrator.prompting.shortening import shortened

OPEN_AFTER_S = 1.0
"""A stream starts when the backend has accepted, so that a refusal is a plain HTTP error; one that
takes longer than this to answer is trusted to accept."""

_MOST_TRIES = 8
"""How often a prompt that is too long is shortened: halved each time, a 256th is left."""


class Sampler:
    """Samples once; `stopped` tells what is there when it is cut short."""

    def __init__(
        self,
        ports: Ports,
        request: Requested,
        channel: Channel,
        rounds: Sequence[Item] = (),
        assembler: Assembler | None = None,
    ) -> None:
        """Go on after `rounds`, which this turn has said already; tell `assembler`."""
        self._ports = ports
        self._request = request
        self._channel = channel
        self._rounds = rounds
        self._instructions: str | None = None
        self._assembler = channel.assembler(0) if assembler is None else assembler
        self._held: HeldBack | None = None
        self._reader: StreamReader | None = None

    def hold_back(self, held: HeldBack) -> None:
        """Show only what has passed."""
        self._held = held

    async def run(self, past: Past | None, instructions: str | None) -> Finish:
        """Sample to the end, good or bad; only being cancelled raises."""
        self._instructions = instructions
        timer = asyncio.get_running_loop().call_later(OPEN_AFTER_S, self._open_late)
        try:
            outcome = await self._sample_what_fits(self._prompt(past))
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
        return self._finish(Outcome(status=status, failure=failure))

    async def _sample_what_fits(self, prompt: Prompt) -> Outcome:
        """Sample; where the client allows it, from as much of the prompt as the model reads."""
        for _ in range(_MOST_TRIES):
            try:
                return await self._sample(prompt)
            except PromptTooLongError as error:
                if self._request.params.get("truncation") != "auto":
                    raise
                shorter = shortened(prompt, error.overflow.tokens, error.overflow.limit)
                if shorter is None:
                    raise
                prompt = shorter
        return await self._sample(prompt)

    async def _sample(self, prompt: Prompt) -> Outcome:
        async with self._ports.backend.sample(prompt) as answering:
            told = self._assembler if self._held is None else self._held.held
            self._reader = reader = answering.reader(told)
            await self._channel.open(self._instructions)
            async for events in answering.reads:
                answering.heard(len(events))
                for data in events:
                    reader.take(data)
                if self._held is not None:
                    await self._held.pass_on()
                await self._channel.flush()
                if reader.outcome is not None:
                    break
        outcome = reader.end()
        if outcome.failure and outcome.overflow and not told.items:
            raise PromptTooLongError(outcome.failure, outcome.overflow)
        if self._held is not None:
            await self._held.pass_on()
        return outcome

    def _prompt(self, past: Past | None) -> Prompt:
        return prompt_for(self._request, past, self._instructions, self._rounds)

    def _open_late(self) -> None:
        self._opening = asyncio.ensure_future(self._channel.open(self._instructions))

    def _finish(self, outcome: Outcome) -> Finish:
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
        )
