"""`docs/coverage.md`: every name of OpenAI's Responses API, and what becomes of it."""

from source import code, table

from turnwire_gateway.openapi.coverage import events, items, other_requests, request_fields
from turnwire_gateway.openapi.coverage.verdict import Covered, Verdict

_INTRO = """# Coverage

Written by `docs/generate.py` from `turnwire_gateway.openapi.coverage`; do not edit it here.

Every field, item and event of OpenAI's Responses API, as its Python SDK names them, and what
becomes of it here. Tests compare these lists with the SDK and with the code.

- **supported**: it is checked and does what it says
- **passed through**: it reaches the backend, or comes from it, as it is; the backend gives it its
  meaning
- **refused**: HTTP 400 that names it
- **ignored**: it is taken and has no effect"""

_LISTS: dict[str, tuple[Covered, ...]] = {
    "Fields of `POST /v1/responses`": request_fields.CREATE,
    "Fields that OpenAI does not have": request_fields.EXTENSIONS,
    "Tools": items.TOOLS,
    "Input items": items.INPUT_ITEMS,
    "Output items": items.OUTPUT_ITEMS,
    "Stream events": events.STREAM_EVENTS,
    "`GET /v1/responses/{id}`": other_requests.RETRIEVE,
    "`GET /v1/responses/{id}/input_items`": other_requests.INPUT_ITEMS_QUERY,
    "`POST /v1/responses/input_tokens`": other_requests.INPUT_TOKENS,
    "`POST /v1/responses/compact`": other_requests.COMPACT,
    "`POST /v1/check`": other_requests.CHECK,
    "`POST /v1/conversations`": other_requests.CONVERSATION_CREATE,
    "`POST /v1/conversations/{id}`": other_requests.CONVERSATION_UPDATE,
    "`POST /v1/conversations/{id}/items`": (
        *other_requests.ITEMS_CREATE,
        *other_requests.ITEMS_CREATE_QUERY,
    ),
    "`GET /v1/conversations/{id}/items`": other_requests.ITEMS_QUERY,
    "`GET /v1/conversations/{id}/items/{item_id}`": other_requests.ITEM_QUERY,
    "WebSocket: what a client sends": events.SOCKET_EVENTS,
    "WebSocket: what `response.create` has beside the fields above": other_requests.SOCKET_CREATE,
}


def coverage_page() -> str:
    """Write the whole page."""
    return "\n\n".join([_INTRO, _summary(), *map(_section, _LISTS)]) + "\n"


def _summary() -> str:
    rows = [
        (title, *(str(_count(covered, verdict) or "") for verdict in Verdict))
        for title, covered in _LISTS.items()
    ]
    return table(("", *(verdict.value for verdict in Verdict)), rows)


def _count(covered: tuple[Covered, ...], verdict: Verdict) -> int:
    return sum(each.verdict is verdict for each in covered)


def _section(title: str) -> str:
    rows = [(code(each.name), each.verdict.value, each.how) for each in _LISTS[title]]
    return f"## {title}\n\n{table(('name', 'what becomes of it', 'how'), rows)}"
