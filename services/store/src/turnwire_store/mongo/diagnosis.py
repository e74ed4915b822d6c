"""What keeps a store from using a database, and the way out; nothing is changed."""

from typing import Any, Final

from msgspec import Struct
from pymongo import AsyncMongoClient, ReadPreference
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure, PyMongoError

from turnwire_store.mongo.server import DEFAULT_DATABASE, READ

_SELECTION_MS: Final = 2_000
_AUTHENTICATION_FAILED: Final = 18
_UNAUTHORIZED: Final = 13
_SETTING: Final = "TURNWIRE_MONGODB_URL"


class DatabaseProblem(Struct, frozen=True):
    """What is wrong with a database; without the credentials of its URL."""

    text: str
    way_out: str


async def database_problem(url: str) -> DatabaseProblem | None:
    """Say what is wrong; `None`: nothing, or it does not answer at all."""
    try:
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url, serverSelectionTimeoutMS=_SELECTION_MS, connectTimeoutMS=_SELECTION_MS
        )
    except (InvalidURI, ConfigurationError, ValueError) as error:
        return DatabaseProblem(f"{_SETTING} cannot be: {error}", "Mend the setting.")
    try:
        await _read(client)
    except OperationFailure as error:
        return _refused(error)
    except PyMongoError:
        return None
    finally:
        await client.close()
    return None


async def _read(client: AsyncMongoClient[dict[str, Any]]) -> None:
    """Read as the store does. Raises `PyMongoError`."""
    database = client.get_default_database(DEFAULT_DATABASE).with_options(
        read_concern=READ, read_preference=ReadPreference.PRIMARY
    )
    await database["generations"].find_one({})


def _refused(error: OperationFailure) -> DatabaseProblem:
    if error.code in (_AUTHENTICATION_FAILED, _UNAUTHORIZED):
        return DatabaseProblem(
            "it refuses our user or password",
            f"Mend them in {_SETTING}; authSource names the database that knows the user.",
        )
    return DatabaseProblem(f"it refuses: {error.code}", "See the log of the database.")
