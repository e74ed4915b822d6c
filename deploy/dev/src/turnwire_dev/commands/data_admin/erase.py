"""`turnwire erase`: all that a tenant has, or one of its users, is gone for ever."""

import asyncio
import time
from typing import Final, Literal

import typer
from nats.aio.client import Client

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_cli.exit_codes import FAILED
from turnwire_contracts.audit.acts import OPERATOR, Actor, ErasureBegun, ErasureFinished
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.queries import STORE_ERASURE, AskForErasure, ErasureStep
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.screen import Screen

_STEP_TIMEOUT_S: Final = 60.0
_WITHIN_S: Final = 60.0
_AGAIN_S: Final = 0.5

Of = Literal["turns", "conversations"]


class ErasureError(Exception):
    """It is not all gone; the text says why, and that doing it again is fine."""


def erase(tenant: str, user: str | None, screen: Screen, *, yes: bool) -> None:
    """Erase; asked again unless `yes`. The exit code is 1 if something is left."""
    whose = f"user {user} of tenant {tenant}" if user else f"tenant {tenant}"
    if not yes:
        typer.confirm(f"Erase everything of {whose} for ever?", abort=True, err=True)
    eraser = _Eraser(screen, TenantId(tenant), None if user is None else OwnerId(user))
    try:
        turns, conversations = asyncio.run(eraser.run())
    except (
        NoBrokerError,
        AuditUnavailableError,
        UnansweredQueryError,
        ErasureError,
    ) as error:
        screen.problem(f"{error} Nothing is half done: run it again.")
        raise typer.Exit(FAILED) from error
    screen.result(
        {"tenant": tenant, "user": user, "turns": turns, "conversations": conversations},
        f"Erased for ever: {turns} turns and {conversations} conversations of {whose}.",
    )


class _Eraser:
    """Goes through the log until nothing is left and nothing runs."""

    def __init__(self, screen: Screen, tenant: TenantId, owner: OwnerId | None) -> None:
        self._screen = screen
        self._tenant = tenant
        self._owner = owner

    async def run(self) -> tuple[int, int]:
        """Give how many turns and conversations were purged by this run."""
        by = Actor(OPERATOR)
        async with connected() as client:
            audit = JetStreamAuditLog(client)
            begun = ErasureBegun(tenant=self._tenant, at=_now_ms(), by=by, user=self._owner)
            await audit.note(begun)
            turns = await self._turns(client)
            conversations = await self._conversations(client)
            finished = ErasureFinished(
                tenant=self._tenant,
                at=_now_ms(),
                by=by,
                user=self._owner,
                turns=turns,
                conversations=conversations,
            )
            await audit.note(finished)
        return turns, conversations

    async def _turns(self, client: Client) -> int:
        """Purge all turns; those that run are cancelled and come next time round."""
        total, until = 0, time.monotonic() + _WITHIN_S
        while True:
            purged, running, _ = await self._through(client, "turns", total)
            total += purged
            if not running:
                return total
            if time.monotonic() > until:
                raise ErasureError(f"{running} turns do not end although they are cancelled.")
            await asyncio.sleep(_AGAIN_S)

    async def _conversations(self, client: Client) -> int:
        """Purge all conversations, then wait until nothing of anything is left."""
        total, until = 0, time.monotonic() + _WITHIN_S
        while True:
            purged, _, gone = await self._through(client, "conversations", total)
            total += purged
            if gone:
                return total
            if time.monotonic() > until:
                raise ErasureError("The store has not erased all of it yet.")

    async def _through(self, client: Client, of: Of, so_far: int) -> tuple[int, int, bool]:
        """Go through the log once; gives what was purged, what runs, and whether all is gone."""
        purged = running = after = 0
        while True:
            request = AskForErasure(self._tenant, self._owner, of, after)
            step = await ask_patiently(client, STORE_ERASURE, request, _STEP_TIMEOUT_S)
            if not isinstance(step, ErasureStep):
                raise ErasureError(step.failure.message)
            purged, running = purged + step.purged, running + step.running
            if step.after is None:
                return purged, running, step.gone
            after = step.after
            if step.purged:
                self._screen.remark(f"  {so_far + purged} {of} …")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
