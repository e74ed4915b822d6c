"""How long the database may take, and what it means when it takes longer or fails."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pymongo
from pymongo.errors import PyMongoError

from turnwire_store.views import ViewsUnavailableError

FIND_TIMEOUT_S: Final = 1.5
WRITE_TIMEOUT_S: Final = 30.0


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Bound what happens inside; raises `ViewsUnavailableError` for whatever goes wrong."""
    try:
        with pymongo.timeout(seconds):
            yield
    except PyMongoError as error:
        raise ViewsUnavailableError(str(error)) from error
