"""Failures that more than one service gives, so that clients read the same text from each."""

from msgspec.structs import replace

from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON


def previous_not_found(response_id: str) -> Failure:
    """Refuse a turn that continues a response which does not exist, or was not stored."""
    return failure("previous_response_not_found", response_id=response_id)


def previous_in_progress(response_id: str) -> Failure:
    """Refuse a turn that continues a response which has not ended."""
    return failure(
        "response_in_progress",
        f"Response '{response_id}' is still in progress. Wait for its end, then continue it.",
        "previous_response_id",
    )


def item_not_found(item_id: str) -> Failure:
    """Refuse a turn whose input refers to an item that nothing in reach has."""
    refusal = failure(
        "item_not_found",
        f"Item with id '{item_id}' not found. Items of responses created with `store: false` are "
        "not kept: send the item itself.",
        "input",
    )
    return replace(refusal, type="invalid_request_error")


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
    return failure("invalid_value", message, param)


def guard_unavailable() -> Failure:
    """Refuse a turn that the guard must judge and cannot: nothing passes unjudged."""
    return failure("guard_unavailable")


def content_policy_failure(violations: list[JSON]) -> Failure:
    """Say which rules the input broke; it is refused before any output, streamed or not."""
    broken = ", ".join(str(violation["category"]) for violation in violations)
    return replace(failure("content_filter", broken=broken), violations=violations)


def answer_lost() -> Failure:
    """Fail a `store: false` turn whose orchestrator died before it had delivered the content."""
    return failure("answer_lost")
