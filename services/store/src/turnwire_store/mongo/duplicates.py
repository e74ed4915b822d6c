"""What a bulk write says when something is there already."""

from collections.abc import Mapping
from typing import Any, Final

from pymongo.errors import BulkWriteError

_DUPLICATE: Final = 11000


def refused(error: BulkWriteError) -> list[int]:
    """List the operations that met a duplicate; raises `error` if anything else went wrong."""
    details: Mapping[str, Any] = error.details
    errors: list[Mapping[str, Any]] = details["writeErrors"]
    if details["writeConcernErrors"] or any(told["code"] != _DUPLICATE for told in errors):
        raise error
    return [told["index"] for told in errors]
