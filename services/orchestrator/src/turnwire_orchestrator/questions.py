"""What the orchestrator answers about its backends: which models, how many tokens."""

from typing import Any

from msgspec import Raw

from turnwire_chassis.lifecycle.followed_file import FollowedFile
from turnwire_contracts.deployment import BackendsTold
from turnwire_contracts.events import Requested
from turnwire_contracts.queries import InputTokenCount, Models, Refusal
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.ports import TurnRunnerPorts
from turnwire_orchestrator.prompting.history import remembered
from turnwire_orchestrator.prompting.prompt import prompt_for
from turnwire_orchestrator.prompting.toolbox import offering, toolbox
from turnwire_orchestrator.turn_runner.sampling import context_of


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
            past, instructions = context.history, context.instructions
            # Servers that were not asked yet may offer more than is counted.
            if uses_mcp(request):
                box = toolbox(request, remembered(past, "mcp_list_tools"))
                request = offering(request, box, ())
            return await self._backends.input_tokens(prompt_for(request, past, instructions))
        except TurnFailedError as error:
            return Refusal(error.failure)
