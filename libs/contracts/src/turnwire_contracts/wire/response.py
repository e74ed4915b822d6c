"""The public response object, written from the facts of a turn.

Sources: OpenAI's `Response`, Open Responses' `ResponseResource` (31 required fields, numbers where
OpenAI allows null). One object satisfies both.
"""

from msgspec import Struct

from turnwire_contracts.events import Closed, Failure, Item, Requested, TurnUsage
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.request_fields import ECHOED
from turnwire_contracts.turn_state import ClosedTurn

_FUNCTION_TOOL: JSON = {"description": None, "parameters": None, "strict": None}


class ResponseProgress(Struct, frozen=True):
    """What the response object says beyond the request."""

    status: str
    instructions: str | None = None
    output: list[Item] = []
    closed: Closed | None = None


def response_object(request: Requested, progress: ResponseProgress) -> JSON:
    """Write the response object; `created_at` and `completed_at` are Unix seconds."""
    closed = progress.closed
    params = request.params
    echoed = {name: params.get(name, default) for name, default in ECHOED.items()}
    completed = closed is not None and closed.status == "completed"
    return {
        "id": request.response_id,
        "object": "response",
        "created_at": request.at // 1000,
        "completed_at": closed.at // 1000 if closed and completed else None,
        "status": progress.status,
        "background": request.background,
        "conversation": {"id": request.conversation} if request.conversation else None,
        "error": _error(closed.failure) if closed and closed.failure else None,
        "incomplete_details": (
            {"reason": closed.incomplete_reason} if closed and closed.incomplete_reason else None
        ),
        "instructions": progress.instructions,
        "model": request.model,
        "output": progress.output,
        "previous_response_id": _named_previous(request),
        "prompt": params.get("prompt"),
        "reasoning": {"effort": None, "summary": None, **_set(params.get("reasoning"))},
        "store": request.store,
        "text": {"format": {"type": "text"}, **_set(params.get("text"))},
        "tools": [_tool(tool) for tool in objects(params.get("tools"))],
        "usage": usage_object(closed.usage) if closed and closed.usage else None,
        **echoed,
        **_branch(request),
        **(closed.fields if closed else {}),
    }


def running_response(request: Requested, instructions: str | None, *, started: bool) -> JSON:
    """Write the response object of a turn that has not ended."""
    status = "in_progress" if started or not request.background else "queued"
    return response_object(request, ResponseProgress(status, instructions))


def closed_response(turn: ClosedTurn) -> JSON:
    """Write the response object of a turn that has ended."""
    progress = ResponseProgress(turn.closed.status, turn.instructions, turn.output, turn.closed)
    return response_object(turn.request, progress)


def usage_object(usage: TurnUsage) -> JSON:
    """Write the `usage` object (OpenAI: `ResponseUsage`)."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def error_envelope(failure: Failure) -> JSON:
    """Write a failure as the body of an HTTP error (OpenAI's envelope)."""
    error: JSON = {
        "message": failure.message,
        "type": failure.type,
        "param": failure.param,
        "code": failure.code,
    }
    if failure.violations is not None:
        error["violations"] = failure.violations
    return {"error": error}


def _named_previous(request: Requested) -> str | None:
    """Give the previous response that the client named; that of a conversation it did not name."""
    return None if request.conversation else request.previous_response_id or request.continues


def _branch(request: Requested) -> JSON:
    """Say what a response was forked from or repeats; of any other response nothing is said."""
    branch: JSON = {}
    if (point := request.forked_from) is not None:
        branch["forked_from"] = {"response_id": point.response_id, "at": point.at}
    if request.rerun_of is not None:
        branch["rerun_of"] = request.rerun_of
    return branch


def _set(value: object) -> JSON:
    """Give the members of an object that say something; an explicit null says nothing."""
    return {name: member for name, member in mapping(value).items() if member is not None}


def _error(failure: Failure) -> JSON:
    error: JSON = {"code": failure.code, "message": failure.message, "type": failure.type}
    if failure.retry_after_s is not None:
        # What the header says where there is one, in seconds.
        error["retry_after"] = failure.retry_after_s
    return error


def _tool(tool: JSON) -> JSON:
    return {**_FUNCTION_TOOL, **tool} if tool.get("type") == "function" else tool
