"""`docs/coverage.md`: every name of OpenAI's Responses API, and what becomes of it."""

import json

from source import code, table

from turnwire_contracts.request_fields import REQUEST_FIELDS
from turnwire_gateway.openapi import coverage
from turnwire_gateway.openapi.coverage import Coverage, CoverageEntry, of_route
from turnwire_gateway.openapi.document import OPERATIONS
from turnwire_gateway.openapi.operation import Operation
from turnwire_gateway.openapi.response_operations import create_response

_INTRO = """# Coverage

Written by `docs/generate.py` from `turnwire_contracts.request_fields`, from the routes that
`turnwire_gateway.openapi` declares and from its `coverage.py`; do not edit it here.

Every field, item and event of OpenAI's Responses API, as its Python SDK names them, and what
becomes of it here; besides, what only Turnwire has. Tests compare these lists with the SDK and with
the code.

- **supported**: it is checked and does what it says
- **passed through**: it reaches the backend, or comes from it, as it is; the backend gives it its
  meaning
- **refused**: HTTP 400 that names it
- **ignored**: it is taken and has no effect"""


def _route(operation: Operation) -> str:
    return f"`{operation.method} {operation.path}`"


_LISTS: dict[str, tuple[CoverageEntry, ...]] = {
    f"Fields of {_route(create_response)}": coverage.CREATE,
    "Fields that OpenAI does not have": coverage.EXTENSIONS,
    "Tools": coverage.TOOLS,
    "Input items": coverage.INPUT_ITEMS,
    "Output items": coverage.OUTPUT_ITEMS,
    "Stream events": coverage.STREAM_EVENTS,
    **{
        _route(each): covered
        for each in OPERATIONS
        if each is not create_response and (covered := of_route(each))
    },
    "WebSocket: what a client sends": coverage.SOCKET_EVENTS,
    "WebSocket: what `response.create` has beside the fields above": coverage.SOCKET_CREATE,
}


def coverage_page() -> str:
    """Write the whole page."""
    return "\n\n".join([_INTRO, _summary(), *map(_section, _LISTS), _destinations()]) + "\n"


def _summary() -> str:
    rows = [
        (title, *(str(_count(covered, verdict) or "") for verdict in Coverage))
        for title, covered in _LISTS.items()
    ]
    return table(("", *(verdict.value for verdict in Coverage)), rows)


def _count(covered: tuple[CoverageEntry, ...], verdict: Coverage) -> int:
    return sum(each.verdict is verdict for each in covered)


def _destinations() -> str:
    intro = (
        "As they are, if the client set them. A backend that speaks chat completions is sent "
        "`max_output_tokens`, `parallel_tool_calls`, `text`, `reasoning`, `top_logprobs` and the "
        "tools in its own words."
    )
    head = ("field", "to Responses", "to chat completions", "to count tokens", "echo if not set")
    rows = [
        (
            code(each.name),
            _mark(to=each.to_responses),
            _mark(to=each.to_chat),
            _mark(to=each.counts),
            code(json.dumps(each.echo)) if each.is_echoed else "",
        )
        for each in REQUEST_FIELDS
        if each.to_responses or each.to_chat or each.counts or each.is_echoed
    ]
    return f"## Where the fields of `POST /v1/responses` go\n\n{intro}\n\n{table(head, rows)}"


def _mark(*, to: bool) -> str:
    return "yes" if to else ""


def _section(title: str) -> str:
    rows = [(code(each.name), each.verdict.value, each.how) for each in _LISTS[title]]
    return f"## {title}\n\n{table(('name', 'what becomes of it', 'how'), rows)}"
