"""Every error by its code. Constructors, OpenAPI, metrics and docs/operations.md read it here."""

from collections.abc import Mapping
from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode
from turnwire_contracts.errors.of_admins import OF_ADMINS
from turnwire_contracts.errors.of_backends import OF_BACKENDS
from turnwire_contracts.errors.of_requests import OF_REQUESTS
from turnwire_contracts.errors.of_services import OF_SERVICES
from turnwire_contracts.errors.of_tools import OF_TOOLS
from turnwire_contracts.errors.of_webhooks import OF_WEBHOOKS
from turnwire_contracts.events import Failure

_ALL: Final = (
    *(*OF_REQUESTS, *OF_ADMINS, *OF_WEBHOOKS),
    *(*OF_TOOLS, *OF_BACKENDS, *OF_SERVICES),
)

CATALOGUE: Final[Mapping[str, ErrorCode]] = {row.code: row for row in _ALL}


def failure(code: str, message: str = "", param: str | None = None, /, **fields: object) -> Failure:
    """Make the error of a code; `fields` fill its message, unless `message` is said instead."""
    return CATALOGUE[code].failure(message, param, **fields)
