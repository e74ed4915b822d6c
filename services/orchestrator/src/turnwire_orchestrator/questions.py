"""What the orchestrator answers: which models there are, how many tokens, what was sent."""

from typing import Any, Final

from msgspec import Raw
from msgspec.structs import replace

from turnwire_chassis.lifecycle.followed_file import FollowedFile
from turnwire_contracts.administration.deployment import BackendsTold
from turnwire_contracts.events import Requested
from turnwire_contracts.inspecting.sent_prompts import AskForPrompt, NoSample, RebuiltPrompt
from turnwire_contracts.queries import InputTokenCount, Models, Refusal
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.turn_state import effective_instructions
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.backend import written
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.ports import SentPrompt, TurnRunnerPorts
from turnwire_orchestrator.prompting.dialect import Api, Dialect
from turnwire_orchestrator.prompting.sampled import prompt_of_sample
from turnwire_orchestrator.turn_runner.past_samples import SampleOfTurn, samples_of
from turnwire_orchestrator.turn_runner.sampling import VERSION, context_of, digest

_MOST_BYTES: Final = 700 * 1024
"""A prompt must fit in one message of the broker, beside what is told of it."""


class BackendQuestions:
    """Answers about the backends of this process."""

    def __init__(
        self, backends: Backends, ports: TurnRunnerPorts, file: FollowedFile[Any] | None = None
    ) -> None:
        """Answer for `backends`, which `file` may change; histories come from `ports`."""
        self._file = file
        self._backends = backends
        self._ports = ports

    async def models(self) -> Models | Refusal:
        """Tell which models there are."""
        try:
            return Models(Raw(await self._backends.models()))
        except TurnFailedError as error:
            return Refusal(error.failure)

    async def status(self) -> BackendsTold:
        """Tell how the backends are."""
        problem = self._file.problem if self._file else None
        return BackendsTold(await self._backends.status(), problem)

    async def input_tokens(self, request: Requested) -> InputTokenCount | Refusal:
        """Count what a model would read for a request that is not made."""
        try:
            context = await context_of(request, self._ports)
            # MCP servers that were not asked yet may offer more than is counted.
            prompt = prompt_of_sample(request, OutputSoFar(), context)
            return await self._backends.input_tokens(prompt)
        except TurnFailedError as error:
            return Refusal(error.failure)

    async def prompt(self, question: AskForPrompt) -> RebuiltPrompt | NoSample | Refusal:
        """Write the prompt of one sample of a turn once more, as far as it can still be known.

        Raises `LogUnavailableError`, `UnreadableEventError`, `ImpossibleEventError`.
        """
        recorded = await self._ports.log.read(question.tenant, question.response_id)
        samples = list(samples_of(recorded))
        number = len(samples) if question.sample is None else question.sample
        if not 1 <= number <= len(samples):
            return NoSample(len(samples))
        sample = samples[number - 1]
        try:
            sent = await self._sent(sample)
        except TurnFailedError as error:
            return Refusal(error.failure)
        record = sample.record
        return RebuiltPrompt(
            sample=number,
            samples=len(samples),
            version=VERSION,
            api=sent.api,
            size=len(sent.body),
            body=Raw(sent.body if len(sent.body) <= _MOST_BYTES else b"null"),
            exact=None if record is None else digest(sent.body) == record.prompt,
            record=record,
        )

    async def _sent(self, sample: SampleOfTurn) -> SentPrompt:
        request, record = sample.request, sample.record
        context = await context_of(request, self._ports)
        if sample.is_over:
            # What was inherited then stands in the log.
            instructions = effective_instructions(request, sample.instructions)
            context = replace(context, instructions=instructions)
        if record is None:
            api, dialect = await self._backends.spoken(request.model)
        else:
            api, dialect = Api(record.api), Dialect(record.dialect)
        return written(prompt_of_sample(request, sample.so_far, context), api, dialect)
