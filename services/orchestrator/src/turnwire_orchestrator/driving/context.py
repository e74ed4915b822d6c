"""What a request stands on: the history before it, and the instructions that apply."""

from turnwire_contracts.events import Requested
from turnwire_contracts.wire.refusals import item_not_found
from turnwire_orchestrator.ports import Ports, TurnFailedError
from turnwire_orchestrator.prompting.history import (
    Past,
    instructions_for,
    mistake_in_pairs,
    unknown_reference,
)

Context = tuple[Past | None, str | None]
"""The history and the instructions; both never change while the turn runs."""


async def context_of(request: Requested, ports: Ports) -> Context:
    """Read what a request stands on; raises `TurnFailedError`."""
    past = None
    if request.previous_response_id is not None:
        # Whoever may speak in a conversation may hear what others said in it.
        reader = None if request.conversation else request.owner
        previous = request.previous_response_id
        past = await ports.histories.past(request.tenant, previous, reader)
    if (unknown := unknown_reference(request, past)) is not None:
        raise TurnFailedError(item_not_found(unknown))
    if (failure := mistake_in_pairs(request, past)) is not None:
        raise TurnFailedError(failure)
    policy = ports.policy
    default, inherit = policy.default_instructions, policy.inherit_instructions
    return past, instructions_for(request, past, default, inherit=inherit)
