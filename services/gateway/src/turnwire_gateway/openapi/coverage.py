"""What of OpenAI's API is covered, and how. Tests compare the lists with its SDK and the code.

Fields and parameters are read from the tables and types that the routes are declared with; what is
here besides are names that Turnwire has no type for.
"""

from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final, get_args, get_type_hints

from fastapi.params import Query
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from turnwire_contracts.request_fields import REQUEST_FIELDS, RequestField
from turnwire_gateway.api.requests.input_shapes import INPUT_ITEMS as INPUT_TYPES
from turnwire_gateway.api.requests.input_shapes import kinds_of
from turnwire_gateway.api.requests.request_body import RequestBody
from turnwire_gateway.openapi.events import STREAM_EVENTS as EVENT_TYPES
from turnwire_gateway.openapi.items import OUTPUT_ITEMS as OUTPUT_TYPES
from turnwire_gateway.openapi.operation import Operation
from turnwire_gateway.openapi.parameters import IGNORED


class Coverage(Enum):
    """What becomes of a field, an item or an event."""

    SUPPORTED = "supported"
    """It is checked and does what it says."""
    PASSED_THROUGH = "passed through"
    """It reaches the backend, or comes from it, as it is; the backend gives it its meaning."""
    REFUSED = "refused"
    """It is answered with HTTP 400 that names it."""
    IGNORED = "ignored"
    """It is taken and has no effect."""


class CoverageEntry(Struct, frozen=True):
    """One name of OpenAI's API, and what becomes of it."""

    name: str
    verdict: Coverage
    how: str


Entries = tuple[CoverageEntry, ...]
_ORDER: Final = tuple(Coverage)


def _alike(verdict: Coverage, how: str, *names: str) -> Entries:
    return tuple(CoverageEntry(name, verdict, how) for name in names)


def _supported(rows: dict[str, str]) -> Entries:
    return tuple(CoverageEntry(name, Coverage.SUPPORTED, how) for name, how in rows.items())


def _fields(fields: Iterable[RequestField]) -> Entries:
    covered = [CoverageEntry(each.name, Coverage(each.treatment), each.about) for each in fields]
    return tuple(sorted(covered, key=lambda each: (_ORDER.index(each.verdict), each.name)))


def _how(sentence: str) -> str:
    """Write a sentence as what stands in a table."""
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"


def _shapes(shapes: Iterable[type[BaseModel]]) -> Iterator[CoverageEntry]:
    """Cover items and events that have a type; its docstring says how."""
    for shape in shapes:
        for kind in kinds_of([shape]):
            yield CoverageEntry(kind, Coverage.SUPPORTED, _how(shape.__doc__ or ""))


def _inputs(shapes: Iterable[type[BaseModel]]) -> Iterator[CoverageEntry]:
    """Cover items of the input: also, what each needs."""
    for shape in shapes:
        fields = [name for name, each in shape.model_fields.items() if each.is_required()]
        needs = ", ".join(f"`{name}`" for name in fields if name != "type")
        for each in _shapes([shape]):
            yield replace(each, how=f"{each.how}; needs {needs}")


def of_route(operation: Operation) -> Entries:
    """Cover what a route takes besides its path: the fields of its body, and of its query."""
    hints = get_type_hints(operation.form, include_extras=True)
    body: type[RequestBody] | None = hints.get("body")
    covered = sorted(body.covered.items()) if body is not None else []
    return (
        *(CoverageEntry(name, Coverage(field.treatment), field.how) for name, field in covered),
        *(each for name, hint in hints.items() for each in _parameters(name, hint)),
    )


def _parameters(name: str, hint: Any) -> Iterator[CoverageEntry]:
    kind, *notes = get_args(hint) or (hint,)
    described = next((note for note in notes if isinstance(note, Query)), None)
    if described is None:
        return
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for each, field in kind.model_fields.items():
            yield CoverageEntry(each, Coverage.SUPPORTED, _how(field.description or ""))
        return
    verdict = Coverage.IGNORED if IGNORED in notes else Coverage.SUPPORTED
    yield CoverageEntry(described.alias or name, verdict, _how(described.description or ""))


CREATE: Final = _fields(each for each in REQUEST_FIELDS if each.of_openai)
"""OpenAI: `ResponseCreateParams`."""
EXTENSIONS: Final = _fields(each for each in REQUEST_FIELDS if not each.of_openai)
"""Fields that OpenAI's Responses do not have: Open Responses, chat completions, vLLM, llama.cpp."""

SOCKET_CREATE: Final = _supported(
    {
        "generate": "false: warms up, answers with an empty response",
        "stream_id": "names a lane: lanes run side by side, up to 32",
    }
)
"""What `response.create` has beyond the fields of `POST /v1/responses`."""
SOCKET_EVENTS: Final = (
    *_supported(
        {"response.create": "the fields of `POST /v1/responses`; one at a time in each lane"}
    ),
    *_alike(
        Coverage.REFUSED,
        "a response that runs takes no more input; cancel it and go on",
        "response.steer",
    ),
)
"""What a client may send on the WebSocket (OpenAI: `ResponsesClientEvent`)."""

_OF_BACKENDS: Final = (
    "additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call",
    "computer_call", "computer_call_output", "file_search_call", "image_generation_call",
    "local_shell_call", "local_shell_call_output", "program", "program_output", "shell_call",
    "shell_call_output", "tool_search_call", "tool_search_output", "web_search_call",
)  # fmt: skip
"""Items of tools that a backend runs."""

TOOLS: Final = (
    *_supported(
        {
            "function": "the client runs it",
            "namespace": "its tools under qualified names; OpenAI gets it as it is",
            "mcp": "Turnwire calls the server; OpenAI's own connectors and tunnels are refused",
        }
    ),
    *_alike(
        Coverage.PASSED_THROUGH,
        "the backend knows it or not; one that takes functions only gets none",
        "apply_patch", "code_interpreter", "computer", "computer_use_preview", "custom",
        "file_search", "image_generation", "local_shell", "programmatic_tool_calling", "shell",
        "tool_search", "web_search", "web_search_2025_08_26", "web_search_preview",
        "web_search_preview_2025_03_11",
    ),
)  # fmt: skip
"""OpenAI: `ToolParam`."""

INPUT_ITEMS: Final = (
    *_inputs(INPUT_TYPES),
    *_supported(
        {
            "custom_tool_call": "a call that the model made before; needs `call_id`, `name`, "
            "`input`",
            "reasoning": "sent again if it says anything",
            "compaction": "made by `POST /v1/responses/compact`",
        }
    ),
    *_alike(
        Coverage.PASSED_THROUGH,
        "kept, and sent to the backend as it is",
        *(*_OF_BACKENDS, "compaction_trigger", "configuration_update"),
    ),
    *_alike(Coverage.IGNORED, "kept, and not sent: the backend never sees MCP", "mcp_list_tools"),
)
"""OpenAI: `ResponseInputItemParam`."""

OUTPUT_ITEMS: Final = (
    *_shapes(OUTPUT_TYPES),
    *_alike(
        Coverage.PASSED_THROUGH,
        "a tool that the backend runs; told when it is done",
        *(*_OF_BACKENDS, "custom_tool_call_output", "function_call_output"),
    ),
    *_alike(Coverage.IGNORED, "only clients give answers", "mcp_approval_response"),
)
"""OpenAI: `ResponseOutputItem`."""

_EVENTS_OF_BACKENDS: Final = (
    "code_interpreter_call.completed", "code_interpreter_call.in_progress",
    "code_interpreter_call.interpreting", "code_interpreter_call_code.delta",
    "code_interpreter_call_code.done", "compaction.compacting", "file_search_call.completed",
    "file_search_call.in_progress", "file_search_call.searching",
    "image_generation_call.completed", "image_generation_call.generating",
    "image_generation_call.in_progress", "image_generation_call.partial_image",
    "shell_call_command.added", "shell_call_command.delta", "shell_call_command.done",
    "shell_call_output_content.delta", "shell_call_output_content.done",
    "web_search_call.completed", "web_search_call.in_progress", "web_search_call.searching",
)  # fmt: skip

STREAM_EVENTS: Final = (
    *_shapes(EVENT_TYPES),
    *_alike(
        Coverage.IGNORED,
        "a backend's own are not told on; the item comes whole when it is done",
        *(f"response.{name}" for name in _EVENTS_OF_BACKENDS),
    ),
    *_alike(
        Coverage.IGNORED,
        "a server that cannot be listed ends the response",
        "response.mcp_list_tools.failed",
    ),
    *_alike(
        Coverage.IGNORED,
        "answers are text",
        *(f"response.audio.{name}" for name in ("delta", "done")),
        *(f"response.audio.transcript.{name}" for name in ("delta", "done")),
    ),
)
"""OpenAI: `ResponseStreamEvent`."""
