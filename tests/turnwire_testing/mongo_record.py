"""What is asked of MongoDB, taken down as it is sent: commands, operators, options, concerns."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from pymongo import monitoring
from pymongo.monitoring import CommandFailedEvent, CommandStartedEvent, CommandSucceededEvent

_OF_EVERY_COMMAND: Final = frozenset({"lsid", "$db", "$clusterTime", "txnNumber", "maxTimeMS"})
_CONCERNS: Final = frozenset({"writeConcern", "readConcern", "$readPreference"})
_OF_DIRECT_CONNECTIONS: Final = frozenset({"$readPreference mode=primaryPreferred"})
"""The driver's own, so that a node that is asked alone answers whatever it is."""
_INDEX_ITSELF: Final = frozenset({"key", "name"})


class MongoRecord(monitoring.CommandListener):
    """Takes down the names of what is sent while it is `on`."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self.on = False
        self.commands: set[str] = set()
        self.options: set[str] = set()
        """As `find.limit`: a field of a command beside its first."""
        self.operators: set[str] = set()
        self.index_options: set[str] = set()
        self.concerns: set[str] = set()
        """As `writeConcern w=majority`."""
        self.codes: set[int] = set()

    def started(self, event: CommandStartedEvent) -> None:
        """Take down a command."""
        if not self.on:
            return
        name, command = event.command_name, event.command
        self.commands.add(name)
        for field, value in command.items():
            if field in _CONCERNS:
                asked = {f"{field} {key}={_short(of)}" for key, of in value.items()}
                self.concerns |= asked - _OF_DIRECT_CONNECTIONS
            elif field != name and field not in _OF_EVERY_COMMAND:
                self.options |= set(_options(name, field, value))
                self.operators |= set(_operators(value))
        indexes: list[Mapping[str, Any]] = command.get("indexes", [])
        for index in indexes:
            self.index_options |= index.keys() - _INDEX_ITSELF

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Take down what went wrong with single operations."""
        if self.on:
            self.codes |= {error["code"] for error in event.reply.get("writeErrors", [])}

    def failed(self, event: CommandFailedEvent) -> None:
        """Take down what went wrong with a command."""
        if self.on and "code" in event.failure:
            self.codes.add(event.failure["code"])


def _options(command: str, field: str, value: Any) -> Iterator[str]:
    """Name a field, and those of the operations that it lists."""
    yield f"{command}.{field}"
    if field in ("updates", "deletes"):
        yield from {f"{command}.{field}.{key}" for operation in value for key in operation}


def _operators(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        document = cast("Mapping[str, Any]", value)
        yield from (key for key in document if key.startswith("$"))
        value = list(document.values())
    if isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _operators(each)


def _short(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
