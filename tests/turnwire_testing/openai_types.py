"""Checks objects against the types of the `openai` package, which its client does not itself do."""

from functools import cache
from typing import Any, get_args

from openai.types.responses import CompactedResponse, Response, ResponseStreamEvent
from pydantic import BaseModel

from turnwire_contracts.json_values import JSON, mapping


def check_response(response: JSON) -> None:
    """Raise `pydantic.ValidationError` unless it is a valid `Response`."""
    Response.model_validate(_with_known_code(response), strict=True)


def check_compaction(compacted: JSON) -> None:
    """Raise `pydantic.ValidationError` unless it is a valid `CompactedResponse`."""
    CompactedResponse.model_validate(compacted, strict=True)


_OURS = ("max_tool_rounds", "max_tool_time")


def check_event(event: JSON) -> None:
    """Raise `KeyError` or `pydantic.ValidationError` unless it is a valid stream event."""
    if "response" in event:
        event = {**event, "response": _with_known_code(event["response"])}
    _events()[event["type"]].model_validate(event, strict=True)


def _with_known_code(response: JSON) -> JSON:
    """OpenAI lists codes of errors and reasons, its client takes any: ours say more."""
    if mapping(response.get("incomplete_details")).get("reason") in _OURS:
        response = {**response, "incomplete_details": {"reason": "max_output_tokens"}}
    if not mapping(response.get("error")):
        return response
    return {**response, "error": {**response["error"], "code": "server_error"}}


@cache
def _events() -> dict[str, type[BaseModel]]:
    union, *_ = get_args(ResponseStreamEvent)
    models: tuple[Any, ...] = get_args(union)
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}
