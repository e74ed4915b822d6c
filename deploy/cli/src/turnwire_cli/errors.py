"""What an error is to who typed the command: its text, its code, the way out, the exit code."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from turnwire_cli.contexts import BadContextError
from turnwire_cli.exit_codes import (
    BAD_INPUT,
    FAILED,
    NOT_ALLOWED,
    NOT_FOUND,
    TOO_OLD,
    UNREACHABLE,
)


class CommandFailedError(Exception):
    """A command ends here; the text says why, and the way out."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        """`exit_code`: one of `exit_codes.py`."""
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as it is said."""

    message: str
    exit_code: int
    facts: dict[str, object] = field(default_factory=dict[str, object])
    """What programs are told beside the message."""
    hints: tuple[str, ...] = ()
    """What people are told beside it."""


_LINK: Final = re.compile(r"\[[^]]*\]\(([^)]*)\)")

_BY_STATUS: Final[dict[int, int]] = {
    HTTPStatus.BAD_REQUEST: BAD_INPUT,
    HTTPStatus.UNAUTHORIZED: NOT_ALLOWED,
    HTTPStatus.FORBIDDEN: NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: NOT_FOUND,
    HTTPStatus.TOO_MANY_REQUESTS: UNREACHABLE,
    HTTPStatus.BAD_GATEWAY: UNREACHABLE,
    HTTPStatus.SERVICE_UNAVAILABLE: UNREACHABLE,
    HTTPStatus.GATEWAY_TIMEOUT: UNREACHABLE,
}


def said_of(error: Exception) -> ErrorReport | None:
    """Give what is said of an error; `None`: it is none that can be expected."""
    if isinstance(error, CommandFailedError):
        return ErrorReport(str(error), error.exit_code)
    if isinstance(error, BadContextError):
        return ErrorReport(str(error), BAD_INPUT)
    if isinstance(error, OSError) and error.filename is not None:
        return ErrorReport(str(error), FAILED)
    return _of_client(error)


def _of_client(error: Exception) -> ErrorReport | None:
    # Loads the HTTP client, which `--help` does not need; an error of it has loaded it.
    from turnwire_client import errors  # noqa: PLC0415 -- see above

    message = str(error)
    match error:
        case errors.MissingRouteError():
            return ErrorReport(message, TOO_OLD, {"code": error.code, "status": error.status})
        case errors.RefusedError():
            facts: dict[str, object] = {
                "code": error.code,
                "status": error.status,
                "param": error.param,
                "request_id": error.request_id,
            }
            exit_code = _BY_STATUS.get(error.status, FAILED)
            return ErrorReport(message, exit_code, facts, _hints(error.code, error.param))
        case errors.StreamRefusedError():
            return ErrorReport(message, FAILED, {"code": error.code}, _hints(error.code, ""))
        case errors.ConnectionFailedError():
            return ErrorReport(message, UNREACHABLE)
        case errors.TurnwireError():
            return ErrorReport(message, FAILED)
        case _:
            return None


def without_links(text: str) -> str:
    """Write links of Markdown for a terminal: `[limits](limits.md)` is `docs/limits.md`."""
    return _LINK.sub(r"docs/\1", text)


def _hints(code: str, param: str) -> tuple[str, ...]:
    """Say the way out as the catalogue of errors has it."""
    from turnwire_contracts.errors.catalogue import CATALOGUE  # noqa: PLC0415 -- as above

    row = CATALOGUE.get(code)
    where = (f"  field: {param}",) if param else ()
    if row is None:
        return where
    way_out = (f"  what to do: {without_links(row.way_out)}",) if row.way_out else ()
    return (*where, *way_out, f"  more: turnwire explain {code}")
