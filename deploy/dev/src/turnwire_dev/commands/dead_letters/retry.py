"""`turnwire dead retry` and `turnwire dead drop`."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import typer
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.publishing import publish_when_led
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_cli.exit_codes import FAILED
from turnwire_contracts import codec, subjects
from turnwire_contracts.audit.acts import OPERATOR, Actor, DeadLetterDropped, DeadLetterRetried
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.dead_letters import (
    STORE_RETRY,
    AskForRetry,
    Retried,
    RetryOutcome,
    RetryResult,
)
from turnwire_contracts.events import CancelRequested, Requested
from turnwire_contracts.ids import ResponseId
from turnwire_dev.commands.dead_letters.letters import (
    Entry,
    Letter,
    NoLetterError,
    chosen,
    read_entry,
)
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.output import failing
from turnwire_dev.screen import Screen

_WITHIN_S: Final = 60.0
_OWNER_WITHIN_S: Final = 0.5
_MOVED_ON: Final = frozenset({10071, 10164})
"""The broker's word that a turn has other events behind the one that was expected."""

_WORDS: Final[dict[RetryResult, str]] = {
    "projected": "the views say what the log says",
    "running": "the turn has not ended",
    "gone": "nothing is left of it in the log; drop it",
    "unprojectable": "it still cannot be read. Run the version that wrote it, or drop the letter",
    "rebuild": "the views have gone past it. Run: turnwire rebuild",
}
_CANCELLED: Final = (
    "it was cancelled before an orchestrator read it, so it is not begun; drop the letter"
)
_NOT_TO_BE_KEPT: Final = (
    "its content is not to be kept, or not before it is screened, and is not put into the log a "
    "second time; the client has to ask again"
)
_DONE: Final = frozenset({"projected", "running", "gone"})

_FAULTS: Final = (
    NoBrokerError,
    NoLetterError,
    LogUnavailableError,
    AuditUnavailableError,
    UnansweredQueryError,
    NatsError,
)


def retry_letters(numbers: Sequence[int], screen: Screen) -> None:
    """Retry letters; exit code 1 if one of them still has no effect. Doing it twice is fine."""
    with failing(screen, *_FAULTS):
        results = asyncio.run(_retry_all(numbers, screen))
    if not results <= _DONE:
        raise typer.Exit(FAILED)


def drop_letters(numbers: Sequence[int], screen: Screen, *, yes: bool) -> None:
    """Remove letters, asked again unless `yes`; what they are about stays in the log."""
    if not yes:
        which = ", ".join(map(str, numbers)) or "all"
        typer.confirm(f"Drop these dead letters: {which}?", abort=True, err=True)
    with failing(screen, *_FAULTS):
        asyncio.run(_drop_all(numbers, screen))


async def _retry_all(numbers: Sequence[int], screen: Screen) -> set[RetryResult]:
    results: set[RetryResult] = set()
    async with connected() as client:
        for letter in await chosen(client, numbers):
            outcome, again = await _retry(client, letter)
            results.add(outcome.result)
            await _mark(client, letter, outcome.result)
            facts = {"letter": letter.number, "about": letter.said.about, "delivered_again": again}
            reason = f" ({outcome.reason})" if outcome.reason else ""
            words = "it is delivered once more" if again else _WORDS[outcome.result]
            screen.result(
                {**facts, **msgspec.to_builtins(outcome)},
                f"Letter {letter.number}, {letter.said.about}: {words}{reason}.",
            )
    return results


async def _retry(client: Client, letter: Letter) -> tuple[RetryOutcome, bool]:
    """Try a letter again; tells whether its entry was delivered once more, too."""
    entry = await read_entry(client, letter.said)
    if entry is None:
        return RetryOutcome("gone"), False
    try:
        event = codec.read_event(entry.subject, entry.body)
    except UnreadableEventError as error:
        return RetryOutcome("unprojectable", str(error)), False
    act = DeadLetterRetried(
        tenant=letter.tenant,
        at=_now_ms(),
        by=Actor(OPERATOR),
        letter=letter.number,
        about=letter.said.about,
    )
    await JetStreamAuditLog(client).note(act)
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


async def _mark(client: Client, letter: Letter, result: RetryResult) -> None:
    mark = Retried(letter.number, _now_ms(), result)
    subject = subjects.retried(ResponseId(letter.said.about))
    await publish_when_led(client.jetstream(), subject, msgspec.json.encode(mark))


async def _drop_all(numbers: Sequence[int], screen: Screen) -> None:
    async with connected() as client:
        audit, jetstream = JetStreamAuditLog(client), client.jetstream()
        letters = await chosen(client, numbers)
        for letter in letters:
            act = DeadLetterDropped(
                tenant=letter.tenant,
                at=_now_ms(),
                by=Actor(OPERATOR),
                letter=letter.number,
                about=letter.said.about,
            )
            await audit.note(act)
            try:
                await jetstream.delete_msg(subjects.DEAD_STREAM, letter.number)
            except NotFoundError:
                # Another operator was faster.
                continue
        screen.result({"dropped": len(letters)}, f"Dropped {len(letters)} dead letters.")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
