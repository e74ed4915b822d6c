"""What a backend streams, as the reader gets it: the data of its events, in every dialect."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from scripted_backend import Dialect, Reply
from scripted_backend.dialects import numbered, say
from scripted_backend.grammar import Exchange

EXCHANGE = Exchange(
    body={"model": "m", "stream": True}, size=40, number=7, created_at=1_700_000_000
)


def events_of(reply: Reply, dialect: Dialect = "openai") -> list[bytes]:
    """Give the data of each event of a reply."""
    return data_of(numbered(say(reply, EXCHANGE, dialect), dialect))


def data_of(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Encode events."""
    return [orjson.dumps(event) for event in events]
