"""`turnwire erase`: all that a tenant has, or one of its users, is gone for ever."""

import asyncio
import time
from typing import Final

import typer

from turnwire_chassis.administration.erasing import (
    ErasedKind,
    ErasureUnfinishedError,
    TenantEraser,
)
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


def erase(tenant: str, user: str | None, screen: Screen, *, yes: bool) -> None:
    """Erase; asked again unless `yes`. The exit code is 1 if something is left."""
    whose = f"user {user} of tenant {tenant}" if user else f"tenant {tenant}"
    if not yes:
        typer.confirm(f"Erase everything of {whose} for ever?", abort=True, err=True)
    owner = None if user is None else OwnerId(user)
    try:
        turns, conversations = asyncio.run(_run(TenantId(tenant), owner, screen))
    except (
        NoBrokerError,
        AuditUnavailableError,
        UnansweredQueryError,
        ErasureUnfinishedError,
    ) as error:
        screen.problem(f"{error} Nothing is half done: run it again.")
        raise typer.Exit(FAILED) from error
    screen.result(
        {"tenant": tenant, "user": user, "turns": turns, "conversations": conversations},
        f"Erased for ever: {turns} turns and {conversations} conversations of {whose}.",
    )


async def _run(tenant: TenantId, owner: OwnerId | None, screen: Screen) -> tuple[int, int]:
    """Give how many turns and conversations were purged by this run."""
    by = Actor(OPERATOR)

    def tell(kind: ErasedKind, purged: int) -> None:
        screen.remark(f"  {purged} {kind} …")

    async with connected() as client:

        async def step(request: AskForErasure) -> ErasureStep:
            done = await ask_patiently(client, STORE_ERASURE, request, _STEP_TIMEOUT_S)
            if not isinstance(done, ErasureStep):
                raise ErasureUnfinishedError(done.failure.message)
            return done

        audit = JetStreamAuditLog(client)
        await audit.note(ErasureBegun(tenant=tenant, at=_now_ms(), by=by, user=owner))
        turns, conversations = await TenantEraser(step, tenant, owner, tell).run()
        finished = ErasureFinished(
            tenant=tenant,
            at=_now_ms(),
            by=by,
            user=owner,
            turns=turns,
            conversations=conversations,
        )
        await audit.note(finished)
    return turns, conversations


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
