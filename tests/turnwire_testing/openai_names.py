"""The names of OpenAI's Responses API, read from the types of its own package."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from openai.types import conversations, responses
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from openai.types.responses.responses_client_event import ResponseCreate
from pydantic import BaseModel


def create_fields() -> set[str]:
    """Give the fields of `responses.create`."""
    return _fields(ResponseCreateParamsNonStreaming) | _fields(ResponseCreateParamsStreaming)


def socket_fields() -> set[str]:
    """Give the fields of `response.create` on a WebSocket, without its type."""
    return _fields(ResponseCreate) - {"type"}


def fields_of(params: Any) -> set[str]:
    """Give the fields of a request's parameters, without those that stand in the path."""
    found = {name for member in _members(params) for name in _fields(member)}
    return found - {"conversation_id"}


def types_in(union: Any) -> set[str]:
    """Give the values that `type` has in the members of a union."""
    return {kind for member in _members(union) for kind in _kinds(_hints(member)["type"])}


def _fields(shape: Any) -> set[str]:
    return set(_hints(shape))


def _hints(shape: Any) -> dict[str, Any]:
    model = cast("type[BaseModel] | None", getattr(shape, "model_fields", None) and shape)
    if model is not None:
        return {name: field.annotation for name, field in model.model_fields.items()}
    return get_type_hints(shape)


def _members(annotation: Any) -> Iterator[Any]:
    bare = _bare(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        for each in get_args(bare):
            yield from _members(each)
    else:
        yield bare


def _kinds(annotation: Any) -> Iterator[str]:
    for member in _members(annotation):
        if get_origin(member) is Literal:
            yield from get_args(member)


def _bare(annotation: Any) -> Any:
    """Strip what only says something about a type."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


TOOLS = types_in(responses.ToolParam)
INPUT_ITEMS = types_in(responses.ResponseInputItemParam)
OUTPUT_ITEMS = types_in(responses.ResponseOutputItem)
CONVERSATION_ITEMS = types_in(conversations.ConversationItem)
STREAM_EVENTS = types_in(responses.ResponseStreamEvent)
SOCKET_EVENTS = types_in(responses.ResponsesClientEvent)
