"""Answers to calls, and the calls they answer. No I/O."""

from turnwire_contracts.events import Requested
from turnwire_contracts.rounds.pairing import half_answered, is_answer, may_be_answered
from turnwire_contracts.wire.refusals import call_not_found, output_missing
from turnwire_gateway.answers.errors import ApiError


def check_pairs(request: Requested) -> None:
    """Refuse an answer without its call, and half an answer, in an input which is all there is.

    Where something came before, the orchestrator looks into it. Raises `ApiError` (400).
    """
    if request.previous_response_id is not None or request.conversation is not None:
        return
    if any(item["type"] == "item_reference" for item in request.input):
        return
    made = {item.get("call_id") for item in request.input if may_be_answered(item)}
    for item in request.input:
        if is_answer(item) and item["call_id"] not in made:
            raise ApiError(call_not_found(item["call_id"]))
    if (missing := half_answered(request.input)) is not None:
        raise ApiError(output_missing(missing))
