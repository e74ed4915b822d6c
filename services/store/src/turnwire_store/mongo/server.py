"""The connection to MongoDB: what every read and write asks of it, and how long it may take.

- Writes are confirmed from the journal by the majority of a replica set, so that no failover takes
  back what a checkpoint says. Reads see only what the majority has, at the primary, so that no
  checkpoint is believed that a failover takes back.
- The driver repeats a read, and a write that can be repeated, until its time is over: an election
  that is shorter is not noticed. Whatever remains is one error, `ViewsUnavailableError`: the
  projection begins again after its checkpoint, and questions are answered from the log.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import pymongo
from bson import CodecOptions
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from turnwire_store.sealing import Document
from turnwire_store.views import ViewsUnavailableError

DEFAULT_DATABASE: Final = "turnwire"

FIND_TIMEOUT_S: Final = 1.5
WRITE_TIMEOUT_S: Final = 8.0
"""A write that was swallowed on its way is begun again after that."""
INDEX_TIMEOUT_S: Final = 600.0

_SELECTION_MS: Final = 2_000
_LET_BE_S: Final = 1.0
"""Questions do not wait, one after the other, for a server that did not answer the last one."""

WRITTEN: Final = WriteConcern("majority", j=True)
READ: Final = ReadConcern("majority")
# Exact for any number of milliseconds; a date of the standard library ends with the year 9999.
_CODEC: Final = CodecOptions[Document](datetime_conversion=DatetimeConversion.DATETIME_MS)


class MongoServer:
    """The database of the views, on a server that comes and goes."""

    def __init__(self, database: AsyncDatabase[Document]) -> None:
        """Use `database` with our concerns, whatever its client's are."""
        self._client = database.client
        self.database: AsyncDatabase[Document] = database.with_options(
            codec_options=_CODEC,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WRITTEN,
            read_concern=READ,
        )
        self._failed = False
        self._let_be_until = 0.0

    @classmethod
    def at(cls, url: str) -> "MongoServer":
        """Use the database that `url` names; nothing is connected before the first question."""
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            appname="turnwire-store",
            serverSelectionTimeoutMS=_SELECTION_MS,
            connectTimeoutMS=_SELECTION_MS,
        )
        return cls(client.get_default_database(DEFAULT_DATABASE))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()

    @contextmanager
    def reading(self) -> Generator[None]:
        """Bound a question that the log can answer instead.

        Raises `ViewsUnavailableError`, and at once for a server that is known to be gone.
        """
        if not self._client.topology_description.has_readable_server():
            raise ViewsUnavailableError("no server is in sight")
        now = time.monotonic()
        if now < self._let_be_until:
            raise ViewsUnavailableError("the server did not answer a moment ago")
        if self._failed:
            # One question finds out, and the others do not wait for it.
            self._let_be_until = now + _LET_BE_S
        try:
            with within(FIND_TIMEOUT_S):
                yield
        except ViewsUnavailableError:
            self._failed, self._let_be_until = True, time.monotonic() + _LET_BE_S
            raise
        self._failed, self._let_be_until = False, 0.0


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Bound what happens inside; raises `ViewsUnavailableError` for whatever goes wrong."""
    try:
        with pymongo.timeout(seconds):
            yield
    except (PyMongoError, BSONError, OverflowError) as error:
        raise ViewsUnavailableError(f"{type(error).__name__}: {error}") from error
