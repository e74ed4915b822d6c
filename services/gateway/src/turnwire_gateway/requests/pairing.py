"""Answers to calls, and the calls they answer. No I/O."""

from turnwire_contracts.events import Requested
from turnwire_contracts.rounds.pairing import unpaired
from turnwire_gateway.answers.errors import ApiError


def check_pairs(request: Requested) -> None:
    """Refuse an answer without its call, and half an answer, in an input which is all there is.

    Where something came before, the orchestrator looks into it. Raises `ApiError` (400).
    """
    if request.previous_response_id is not None or request.conversation is not None:
        return
    if any(item["type"] == "item_reference" for item in request.input):
        return
    if (failure := unpaired(request.input)) is not None:
        raise ApiError(failure)
