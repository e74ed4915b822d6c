"""Dead letters as the stream `DEAD` has them, each with the entry of the log that it is about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_chassis.broker_times import moment
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.reading import page, pages, sequence_of, subject_of_message, time_of
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter, Letter, Retried
from turnwire_contracts.ids import ResponseId

_MARKS: Final = subjects.retried(ResponseId("*"))


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
    return Entry(letter.subject, letter.sequence, moment(time_of(found[0]) or ""), found[0].data)


def _letter(message: Msg, mark: Retried | None) -> Letter:
    try:
        said = msgspec.json.decode(message.data, type=DeadLetter)
    except msgspec.DecodeError as error:
        number = sequence_of(message)
        raise LogUnavailableError(f"dead letter {number} cannot be read: {error}") from error
    return Letter(sequence_of(message), moment(time_of(message) or ""), said, mark)
