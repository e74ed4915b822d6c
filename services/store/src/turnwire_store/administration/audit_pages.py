"""Pages of the audit log, the newest acts first or the oldest, read in windows of the stream."""

from collections.abc import AsyncIterator
from typing import Final

from msgspec import Raw
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.reading import page, sequence_of, subject_of_message
from turnwire_contracts import subjects
from turnwire_contracts.administration.admin_queries import AskForActs, AuditPage, AuditRecord
from turnwire_contracts.audit.acts import AnyAuditEvent, decode_audit
from turnwire_contracts.codec import UnreadableEventError

_FIRST_WINDOW: Final = 256
_LARGEST_WINDOW: Final = 8192
_MOST_EXAMINED: Final = 20_000
"""Entries of the stream that one page looks at: a page may have few acts, and more follow."""

_SKEW_MS: Final = 60_000
"""Services note by their own clocks; a page ends when acts are this much older than was asked."""

_TIMEOUT_S: Final = 5.0


class AuditPages:
    """Reads the stream `AUDIT`. Every method raises `LogUnavailableError`."""

    def __init__(self, client: Client) -> None:
        """The streams of `client` must be declared."""
        self._client = client
        self._jetstream = JetStreamContext(client, timeout=_TIMEOUT_S)

    async def page(self, question: AskForActs) -> AuditPage:
        """Give the acts that fit, in the order that was asked for."""
        first, last = await self._bounds()
        records: list[AuditRecord] = []
        examined, reached = 0, question.after
        async for message in self._messages(question, first, last):
            sequence = sequence_of(message)
            event = _read(message)
            if event is not None and question.newest_first and _is_long_over(event, question):
                return AuditPage(records, None)
            if event is not None and _fits(event, message, question):
                if len(records) == question.limit:
                    return AuditPage(records, reached)
                records.append(AuditRecord(sequence, _kind(message), Raw(message.data)))
            reached = sequence
            examined += 1
            if examined == _MOST_EXAMINED:
                return AuditPage(records, reached)
        return AuditPage(records, None)

    async def _bounds(self) -> tuple[int, int]:
        try:
            state = (await self._jetstream.stream_info(subjects.AUDIT_STREAM)).state
        except (NatsError, JetStreamError) as error:
            raise LogUnavailableError(str(error) or type(error).__name__) from error
        return state.first_seq, state.last_seq

    async def _messages(self, question: AskForActs, first: int, last: int) -> AsyncIterator[Msg]:
        subject = (
            subjects.AUDIT
            if question.tenant is None
            else subjects.audit_event(question.tenant, "*")
        )
        if not question.newest_first:
            async for message in self._between(subject, question.after or 0, last + 1):
                yield message
            return
        end = last + 1 if question.after is None else min(question.after, last + 1)
        window = _FIRST_WINDOW
        while end > first:
            begin = max(first, end - window)
            found = [each async for each in self._between(subject, begin - 1, end)]
            for message in reversed(found):
                yield message
            end, window = begin, min(2 * window, _LARGEST_WINDOW)

    async def _between(self, subject: str, after: int, before: int) -> AsyncIterator[Msg]:
        """Give the messages behind `after` and in front of `before`, the oldest first."""
        while messages := await page(
            self._client, subjects.AUDIT_STREAM, subject, after, min(1000, before - after - 1)
        ):
            for message in messages:
                if sequence_of(message) >= before:
                    return
                yield message
            after = sequence_of(messages[-1])
            if after + 1 >= before:
                return


def _kind(message: Msg) -> str:
    return subject_of_message(message).rpartition(".")[2]


def _read(message: Msg) -> AnyAuditEvent | None:
    """Read an act; `None` for one of a later version, which a command of that version shows."""
    try:
        return decode_audit(subject_of_message(message), message.data)
    except UnreadableEventError:
        return None


def _fits(event: AnyAuditEvent, message: Msg, question: AskForActs) -> bool:
    return (
        event.at >= question.since
        and (question.until is None or event.at < question.until)
        and (not question.kinds or _kind(message) in question.kinds)
        and question.user in (None, event.by.user)
    )


def _is_long_over(event: AnyAuditEvent, question: AskForActs) -> bool:
    return event.at < question.since - _SKEW_MS
