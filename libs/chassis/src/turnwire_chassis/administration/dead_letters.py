"""Dead letters as the stream `DEAD` has them, each with the entry of the log that it is about."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.reading import page, pages, sequence_of, subject_of_message
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter, Letter, Retried
from turnwire_contracts.ids import ResponseId

_MARKS: Final = subjects.retried(ResponseId("*"))
_TIME: Final = "Nats-Time-Stamp"
_SECOND_FRACTION: Final = 6
"""Digits that Python's times have; the broker's have nine."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of the log that a letter is about."""

    subject: str
    sequence: int
    at: datetime
    body: bytes


async def read_letters(client: Client) -> list[Letter]:
    """Give all letters, oldest first. Raises `LogUnavailableError`."""
    found: list[Msg] = []
    marks: dict[int, Retried] = {}
    async for messages in pages(client, subjects.DEAD_STREAM, subjects.DEAD):
        for message in messages:
            if subject_of_message(message).startswith(_MARKS.removesuffix("*")):
                mark = msgspec.json.decode(message.data, type=Retried)
                marks[mark.letter] = mark
            else:
                found.append(message)
    return [_letter(message, marks.get(sequence_of(message))) for message in found]


async def read_entry(client: Client, letter: DeadLetter) -> Entry | None:
    """Give the entry that a letter is about; `None` if it was erased.

    Raises `LogUnavailableError`.
    """
    stream, after = subjects.TURNS_STREAM, letter.sequence - 1
    found = await page(client, stream, letter.subject, after, most=1)
    if not found or sequence_of(found[0]) != letter.sequence:
        return None
    return Entry(letter.subject, letter.sequence, _time(found[0]), found[0].data)


def _letter(message: Msg, mark: Retried | None) -> Letter:
    try:
        said = msgspec.json.decode(message.data, type=DeadLetter)
    except msgspec.DecodeError as error:
        number = sequence_of(message)
        raise LogUnavailableError(f"dead letter {number} cannot be read: {error}") from error
    return Letter(sequence_of(message), _time(message), said, mark)


def _time(message: Msg) -> datetime:
    text = (message.headers or {}).get(_TIME, "")
    seconds, _, rest = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(f"{seconds}.{rest[:_SECOND_FRACTION].ljust(6, '0')}")
    return moment.replace(tzinfo=UTC)
