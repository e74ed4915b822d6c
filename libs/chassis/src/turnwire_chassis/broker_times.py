"""The broker's times, as it writes them: RFC 3339 with nine digits behind the second."""

from datetime import UTC, datetime
from typing import Final

_DIGITS: Final = 6
"""What Python's times have behind the second."""


def moment(text: str) -> datetime:
    """Read a time of the broker; raises `ValueError`."""
    seconds, _, rest = text.rstrip("Z").partition(".")
    read = datetime.fromisoformat(f"{seconds}.{rest[:_DIGITS].ljust(_DIGITS, '0')}")
    return read.replace(tzinfo=UTC)


def milliseconds(text: str) -> int:
    """Read a time of the broker as Unix milliseconds; raises `ValueError`."""
    return int(moment(text).timestamp() * 1000)
