"""The four ways in which a part of OpenAI's API can be met."""

from enum import Enum

from msgspec import Struct


class Verdict(Enum):
    """What becomes of a field, an item or an event."""

    SUPPORTED = "supported"
    """It is checked and does what it says."""
    PASSED_THROUGH = "passed through"
    """It reaches the backend, or comes from it, as it is; the backend gives it its meaning."""
    REFUSED = "refused"
    """It is answered with HTTP 400 that names it."""
    IGNORED = "ignored"
    """It is taken and has no effect."""


class Covered(Struct, frozen=True):
    """One name of OpenAI's API, and what becomes of it."""

    name: str
    verdict: Verdict
    how: str


def supported(name: str, how: str) -> Covered:
    """Say that it does what it says."""
    return Covered(name, Verdict.SUPPORTED, how)


def passed(name: str, how: str) -> Covered:
    """Say that the backend gives it its meaning."""
    return Covered(name, Verdict.PASSED_THROUGH, how)


def refused(name: str, how: str) -> Covered:
    """Say that it is answered with HTTP 400."""
    return Covered(name, Verdict.REFUSED, how)


def ignored(name: str, how: str) -> Covered:
    """Say that it has no effect."""
    return Covered(name, Verdict.IGNORED, how)
