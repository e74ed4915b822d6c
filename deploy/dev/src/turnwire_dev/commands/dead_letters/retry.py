"""`turnwire dead retry` and `turnwire dead drop`."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import typer
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from turnwire_chassis.administration.dead_letter_acts import LetterActPorts, retry_letter
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.request_reply.asking import UnansweredQueryError
from turnwire_cli.exit_codes import FAILED
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import RetryResult
from turnwire_contracts.audit.acts import OPERATOR, Actor, DeadLetterDropped
from turnwire_dev.commands.dead_letters.letters import NoLetterError, chosen
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.output import failing
from turnwire_dev.screen import Screen

_WORDS: Final[dict[RetryResult, str]] = {
    "projected": "the views say what the log says",
    "running": "the turn has not ended",
    "gone": "nothing is left of it in the log; drop it",
    "unprojectable": "it still cannot be read. Run the version that wrote it, or drop the letter",
    "rebuild": "the views have gone past it. Run: turnwire rebuild",
}
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
        ports = LetterActPorts(client, JetStreamAuditLog(client), _now_ms)
        for letter in await chosen(client, numbers):
            retried = await retry_letter(ports, letter, Actor(OPERATOR))
            outcome, again = retried.outcome, retried.delivered_again
            results.add(outcome.result)
            facts = {"letter": letter.number, "about": letter.said.about, "delivered_again": again}
            reason = f" ({outcome.reason})" if outcome.reason else ""
            words = "it is delivered once more" if again else _WORDS[outcome.result]
            screen.result(
                {**facts, **msgspec.to_builtins(outcome)},
                f"Letter {letter.number}, {letter.said.about}: {words}{reason}.",
            )
    return results


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
