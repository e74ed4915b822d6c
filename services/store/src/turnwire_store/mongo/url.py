"""What a URL of MongoDB may ask for: nothing that weakens what the views promise."""

from collections.abc import Mapping
from typing import Any, Final

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

_SRV: Final = "mongodb+srv://"
_PLAIN: Final = "mongodb://"

_WEAKER: Final[Mapping[str, tuple[frozenset[Any], str]]] = {
    "w": (frozenset({"majority"}), "a failover may undo writes that were taken for kept"),
    "journal": (frozenset({True}), "a crash may undo writes that were taken for kept"),
    "readConcernLevel": (
        frozenset({"majority", "linearizable"}),
        "a checkpoint may be read that a failover undoes",
    ),
    "readPreference": (frozenset({"primary"}), "a node that is behind may answer"),
}


def check_mongodb_url(url: str) -> str:
    """Give the URL if it can be used. Raises ValueError, which names what is wrong and the way out.

    Nothing is looked up: the hosts of `mongodb+srv` stay as they are.
    """
    try:
        options: Mapping[str, Any] = parse_uri(
            _PLAIN + url.removeprefix(_SRV) if url.startswith(_SRV) else url,
            validate=True,
            warn=False,
        )["options"]
    except (PyMongoError, ValueError) as error:
        raise ValueError(f"is no URL of MongoDB: {error}") from error
    for name, (strong, danger) in _WEAKER.items():
        value = options.get(name)
        if value is not None and value not in strong:
            text = str(value).lower() if isinstance(value, bool) else value
            raise ValueError(f"asks for {name}={text}, with which {danger}; leave {name} out of it")
    return url
