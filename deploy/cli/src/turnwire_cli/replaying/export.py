"""What an export has: the events of turns, as the API tells them, and conversations' objects."""

from collections.abc import Iterable, Iterator

from turnwire_cli.replaying.log_file import LogEntry, LogHeading, event_of
from turnwire_client import Turnwire
from turnwire_contracts.ids import is_conversation_id, is_response_id
from turnwire_contracts.json_values import JSON


class NotAnIdError(Exception):
    """Neither a response nor a conversation has such an id."""


def export_of(client: Turnwire, id_: str) -> tuple[LogHeading, Iterator[LogEntry | JSON]]:
    """Give what an export of a turn or a conversation has; empty: of all that the key sees.

    The lines are fetched while they are read. Raises `NotAnIdError`, and what the client raises.
    """
    if not id_:
        return LogHeading("tenant", ""), _tenant(client)
    if is_response_id(id_):
        return LogHeading("turn", id_), _turn(client, id_)
    if is_conversation_id(id_):
        return LogHeading("conversation", id_), _conversation(client, client.conversations.get(id_))
    raise NotAnIdError(f"{id_} is no id of a response or a conversation: resp_0123…, conv_0123….")


def _turn(client: Turnwire, response_id: str) -> Iterator[LogEntry]:
    for logged in client.responses.events(response_id):
        yield event_of(response_id, logged)


def _conversation(client: Turnwire, conversation: JSON) -> Iterator[LogEntry | JSON]:
    yield conversation
    yield from _turns(client, client.conversations.responses(conversation["id"]))


def _tenant(client: Turnwire) -> Iterator[LogEntry | JSON]:
    yield from client.conversations.iterate()
    yield from _turns(client, client.responses.iterate(order="asc"))


def _turns(client: Turnwire, responses: Iterable[JSON]) -> Iterator[LogEntry]:
    for response in responses:
        yield from _turn(client, response["id"])
