"""Values of labels from lists: whatever a client or a backend says of its own becomes `_other`."""

from collections.abc import Collection
from typing import Final

from turnwire_chassis.telemetry.metric import OTHER
from turnwire_contracts.errors.catalogue import CATALOGUE

UNKNOWN_ROUTE: Final = "_unknown"
NO_ERROR: Final = ""
URL_SERVER: Final = "url"
"""The label of every MCP server that a client named by its URL."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SOCKET: Final = "WEBSOCKET"

_INCOMPLETE: Final = ("max_output_tokens", "max_tool_rounds", "max_tool_time")
CODES: Final = frozenset((*CATALOGUE, *_INCOMPLETE))
"""Codes of errors and reasons for incomplete answers; backends have codes of their own."""


def status_class(status: int) -> str:
    """Give `2xx` for 200."""
    return f"{status // 100}xx"


def method(given: str) -> str:
    """Give a method of HTTP as it is."""
    return given if given in METHODS else OTHER


def code(given: str | None) -> str:
    """Give one of our codes as it is, and nothing for nothing."""
    if not given:
        return NO_ERROR
    return given if given in CODES else OTHER


def listed(given: str, names: Collection[str]) -> str:
    """Give a name that the operator or a backend lists, or `_other`."""
    return given if given in names else OTHER
