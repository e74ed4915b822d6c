"""The codes of errors are the same in the OpenAPI document, on the operator's page, and in code."""

import re

from architecture.house import ROOT
from turnwire_gateway.openapi.document import OPERATIONS
from turnwire_gateway.openapi.error_codes import BACKEND_REFUSED, ERROR_CODES

_ROW = re.compile(r"^\| ((?:`\w+`(?:, )?)+)[^|]*\| ([^|]+) \|", re.MULTILINE)


def test_the_operators_page_tells_every_code_with_its_statuses() -> None:
    assert told() == {name: set(code.statuses) for name, code in ERROR_CODES.items()}


def test_every_code_can_come_from_somewhere() -> None:
    named = {name for operation in OPERATIONS for name in operation.errors}
    everywhere = {"internal_error", "unknown_url", "http_error"}
    everywhere |= {"invalid_api_key", "identity_unavailable"}
    everywhere |= {"host_not_allowed", "origin_not_allowed"}
    only_in_streams = {name for name, code in ERROR_CODES.items() if not code.statuses}
    assert set(ERROR_CODES) - named == everywhere | only_in_streams


def told() -> dict[str, set[int]]:
    """Read the table of errors: each code, and the statuses it comes with."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = {
        name: {int(each) for each in re.findall(r"\b\d{3}\b", statuses)}
        for codes, statuses in _ROW.findall(page.partition("\n## Errors\n")[2])
        for name in re.findall(r"`(\w+)`", codes)
    }
    found.pop(BACKEND_REFUSED.name, None)
    return found
