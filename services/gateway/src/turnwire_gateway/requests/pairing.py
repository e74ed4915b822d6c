"""Answers to calls, and the calls they answer. No I/O."""

from turnwire_contracts.events import Requested
from turnwire_contracts.wire.refusals import call_not_found
from turnwire_gateway.answers.errors import ApiError

_CALLS = ("function_call", "custom_tool_call")
_ANSWERS = ("function_call_output", "custom_tool_call_output")


def check_pairs(request: Requested) -> None:
    """Refuse an answer to a call that is not made in an input which is all there is.

    Where something came before, the orchestrator looks into it. Raises `ApiError` (400).
    """
    if request.previous_response_id is not None or request.conversation is not None:
        return
    if any(item["type"] == "item_reference" for item in request.input):
        return
    made = {item.get("call_id") for item in request.input if item["type"] in _CALLS}
    for item in request.input:
        if item["type"] in _ANSWERS and item["call_id"] not in made:
            raise ApiError(call_not_found(item["call_id"]))
