"""The table of errors in `docs/operations.md`, from the catalogue in `turnwire_contracts.errors`.

The prose around it is kept as it is.
"""

from pathlib import Path

from marked_part import with_part
from source import Row, code, table

from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_contracts.errors.error_code import ErrorCode

_PAGE = Path(__file__).parent / "operations.md"
_HEAD = ("code", "status", "what happened", "what to do", "retry")
_NOT_HTTP = 1000


def errors_page() -> str:
    """Write the whole page."""
    rows = [_row(each) for each in sorted(CATALOGUE.values(), key=_status)]
    return with_part(_PAGE, "turnwire_contracts.errors", table(_HEAD, rows))


def _status(row: ErrorCode) -> int:
    """Sort by status; what is no HTTP answer of ours comes last."""
    return row.status if row.statuses else _NOT_HTTP


def _row(row: ErrorCode) -> Row:
    statuses = ", ".join(map(str, row.statuses)) or row.instead
    retry = "yes" if row.retryable else "no"
    return (code(row.code), statuses, row.what, row.way_out, retry)
