"""What the orchestrator answers about its backends: which models, how many tokens."""

from msgspec import Raw

from turnwire_contracts.events import Requested
from turnwire_contracts.queries import InputTokens, Models, Refusal
from turnwire_contracts.rounds.tool_calls import uses_mcp
from turnwire_orchestrator.driving.context import context_of
from turnwire_orchestrator.inference.backends import Backends
from turnwire_orchestrator.ports import Ports, TurnFailedError
from turnwire_orchestrator.prompting.history import remembered
from turnwire_orchestrator.prompting.prompt import prompt_for
from turnwire_orchestrator.prompting.toolbox import offering, toolbox


class BackendQuestions:
    """Answers about the backends of this process."""

    def __init__(self, backends: Backends, ports: Ports) -> None:
        """Answer for `backends`; histories come from `ports`."""
        self._backends = backends
        self._ports = ports

    async def models(self) -> Models | Refusal:
        """Tell which models there are."""
        try:
            return Models(Raw(await self._backends.models()))
        except TurnFailedError as error:
            return Refusal(error.failure)

    async def input_tokens(self, request: Requested) -> InputTokens | Refusal:
        """Count what a model would read for a request that is not made."""
        try:
            past, instructions = await context_of(request, self._ports)
            # Servers that nobody has asked yet may offer more than is counted.
            if uses_mcp(request):
                box = toolbox(request, remembered(past, "mcp_list_tools"))
                request = offering(request, box, ())
            return await self._backends.input_tokens(prompt_for(request, past, instructions))
        except TurnFailedError as error:
            return Refusal(error.failure)
