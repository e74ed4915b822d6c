"""Refusals that more than one service speaks, so that clients hear the same words from each."""

from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON

_GUARD_BACK_S = 2
"""A guard that was restarted is back in about that time."""


def previous_not_found(response_id: str) -> Failure:
    """Refuse a turn that continues a response which does not exist, or was not stored."""
    return Failure(
        http_status=404,
        type="not_found_error",
        code="previous_response_not_found",
        message=f"Previous response with id '{response_id}' not found. It may have been deleted, "
        "created with `store: false`, or belong to somebody else.",
        param="previous_response_id",
    )


def previous_in_progress(response_id: str) -> Failure:
    """Refuse a turn that continues a response which has not ended."""
    return Failure(
        http_status=425,
        type="too_early_error",
        code="response_in_progress",
        message=f"Response '{response_id}' is still in progress. Wait for its end,"
        " then continue it.",
        param="previous_response_id",
    )


def item_not_found(item_id: str) -> Failure:
    """Refuse a turn whose input refers to an item that nothing in reach has."""
    return Failure(
        http_status=404,
        type="invalid_request_error",
        code="item_not_found",
        message=f"Item with id '{item_id}' not found. Items of responses created with "
        "`store: false` are not kept: send the item itself.",
        param="input",
    )


def call_not_found(call_id: str) -> Failure:
    """Refuse a turn that answers a call which nothing before it makes (OpenAI's words)."""
    return _unpaired(f"No tool call found for function call output with call_id {call_id}.")


def output_missing(call_id: str) -> Failure:
    """Refuse a turn that answers some of the calls that wait, and not all (OpenAI's words)."""
    return _unpaired(f"No tool output found for function call {call_id}.")


def answer_before_call(call_id: str, place: int, call: int) -> Failure:
    """Refuse an answer that stands before its call; both are places in the input."""
    return _unpaired(
        f"input[{place}] is the output of the call {call_id}, which is made only later, by "
        f"input[{call}]. Put every call before its output.",
        f"input[{place}]",
    )


def answered_already(call_id: str, place: int) -> Failure:
    """Refuse a second answer to a call; `place` is its place in the input."""
    return _unpaired(
        f"input[{place}] is a second output for the call {call_id}. A call has one output; one "
        "that a conversation went on without has been cancelled. Leave this one out.",
        f"input[{place}]",
    )


def _unpaired(message: str, param: str = "input") -> Failure:
    return Failure(
        http_status=400,
        type="invalid_request_error",
        code="invalid_value",
        message=message,
        param=param,
    )


def guard_unavailable() -> Failure:
    """The guard must judge and cannot: nothing passes."""
    return Failure(
        http_status=503,
        type="server_error",
        code="guard_unavailable",
        message="The content could not be checked against the content policy. Try again later.",
        retry_after_s=_GUARD_BACK_S,
    )


def content_policy_failure(violations: list[JSON]) -> Failure:
    """Say which rules the input broke; it is refused before any output, whoever asked how."""
    broken = ", ".join(str(violation["category"]) for violation in violations)
    return Failure(
        http_status=400,
        type="invalid_request_error",
        code="content_filter",
        message=f"The input was blocked by the content policy ({broken}).",
        param="input",
        violations=violations,
    )


def answer_lost() -> Failure:
    """The turn ended, its content was not to be stored, and its orchestrator died first."""
    return Failure(
        http_status=502,
        type="server_error",
        code="answer_lost",
        message="The response was finished but its content, which was not to be stored, was lost "
        "before it could be delivered. Send the request again.",
    )
