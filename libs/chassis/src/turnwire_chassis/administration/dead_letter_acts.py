"""Retrying dead letters: by command and by HTTP the same, noted before it is done."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError

from turnwire_chassis.administration.dead_letters import Entry, read_entry
from turnwire_chassis.auditing.audit_log import AuditLog
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_chassis.request_reply.asking import ask_patiently
from turnwire_contracts import codec, subjects
from turnwire_contracts.administration.dead_letters import (
    STORE_RETRY,
    AskForRetry,
    Letter,
    Retried,
    RetryOutcome,
    RetryResult,
)
from turnwire_contracts.audit.acts import Actor, DeadLetterRetried
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import CancelRequested, Requested
from turnwire_contracts.ids import ResponseId

_WITHIN_S: Final = 60.0
_OWNER_WITHIN_S: Final = 0.5
_MOVED_ON: Final = frozenset({10071, 10164})
"""The broker's word that a turn has other events behind the one that was expected."""

_CANCELLED: Final = (
    "it was cancelled before an orchestrator read it, so it is not begun; drop the letter"
)
_NOT_TO_BE_KEPT: Final = (
    "its content is not to be kept, or not before it is screened, and is not put into the log a "
    "second time; the client has to ask again"
)


class LetterActPorts(Struct, frozen=True):
    """What acts on letters stand on."""

    client: Client
    audit: AuditLog
    now_ms: Callable[[], int]


class LetterRetry(Struct, frozen=True):
    """What came of a letter that was retried."""

    outcome: RetryOutcome
    delivered_again: bool
    """Whether its entry, a request, was given to an orchestrator once more."""


async def retry_letter(ports: LetterActPorts, letter: Letter, by: Actor) -> LetterRetry:
    """Try a letter again, and mark it as retried; doing it twice is the same as once.

    Raises `AuditUnavailableError` before anything is done, `LogUnavailableError`,
    `UnansweredQueryError`, nats-py's errors.
    """
    outcome, again = await _retry(ports, letter, by)
    await _mark(ports, letter, outcome.result)
    return LetterRetry(outcome, again)


async def _retry(ports: LetterActPorts, letter: Letter, by: Actor) -> tuple[RetryOutcome, bool]:
    client = ports.client
    entry = await read_entry(client, letter.said)
    if entry is None:
        return RetryOutcome("gone"), False
    try:
        event = codec.read_event(entry.subject, entry.body)
    except UnreadableEventError as error:
        return RetryOutcome("unprojectable", str(error)), False
    act = DeadLetterRetried(
        tenant=letter.tenant,
        at=ports.now_ms(),
        by=by,
        letter=letter.number,
        about=letter.said.about,
    )
    await ports.audit.note(act)
    if not letter.is_of_turn:
        # Its events are told one after the other, and those behind it are told already.
        return RetryOutcome("rebuild"), False
    request = AskForRetry(letter.tenant, ResponseId(letter.said.about))
    outcome = await ask_patiently(client, STORE_RETRY, request, _WITHIN_S)
    if not isinstance(outcome, RetryOutcome):
        raise LogUnavailableError(outcome.failure.message)
    if outcome.result == "running" and isinstance(event, Requested):
        return await _begin(client, letter, entry, event)
    return outcome, False


async def _begin(
    client: Client, letter: Letter, entry: Entry, request: Requested
) -> tuple[RetryOutcome, bool]:
    """Have a turn begun that no orchestrator has begun; gives what came of it."""
    about = ResponseId(letter.said.about)
    recorded = await JetStreamEventLog(client, client.jetstream()).read(letter.tenant, about)
    others = [one.event for one in recorded if not isinstance(one.event, Requested)]
    if others and all(isinstance(event, CancelRequested) for event in others):
        return RetryOutcome("unprojectable", _CANCELLED), False
    if not others and (not request.store or request.screen):
        return RetryOutcome("unprojectable", _NOT_TO_BE_KEPT), False
    return RetryOutcome("running"), await _deliver_again(client, letter, entry)


async def _deliver_again(client: Client, letter: Letter, entry: Entry) -> bool:
    """Put a request at the end of the log once more, where an orchestrator takes it.

    None is put there while an orchestrator drives the turn. The broker refuses it if the turn has
    moved on, or it was put there before. Folded twice, a request is the same as once.
    """
    if await _is_driven(client, letter):
        return False
    about = subjects.turn(letter.tenant, ResponseId(letter.said.about))
    headers = {
        "Nats-Expected-Last-Subject-Sequence": str(entry.sequence),
        "Nats-Expected-Last-Subject-Sequence-Subject": about,
    }
    try:
        await publish_when_led(client.jetstream(), entry.subject, entry.body, headers)
    except APIError as error:
        if error.err_code in _MOVED_ON:
            return False
        raise
    return True


async def _is_driven(client: Client, letter: Letter) -> bool:
    """Ask all orchestrators; the one that works on the turn answers, no other does."""
    owner = subjects.owner(letter.tenant, ResponseId(letter.said.about))
    try:
        await client.request(owner, b"", timeout=_OWNER_WITHIN_S)
    except NatsError:
        return False
    return True


async def _mark(ports: LetterActPorts, letter: Letter, result: RetryResult) -> None:
    mark = Retried(letter.number, ports.now_ms(), result)
    subject = subjects.retried(ResponseId(letter.said.about))
    await publish_when_led(ports.client.jetstream(), subject, msgspec.json.encode(mark))
