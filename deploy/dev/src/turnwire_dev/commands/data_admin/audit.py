"""`turnwire audit`: what admins and operators did with the data of others."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec
import typer

from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_cli.moments import moment_ago
from turnwire_cli.printing import in_one_line
from turnwire_contracts.audit.acts import AnyAuditEvent, audit_kind_of
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.ids import TenantId
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.screen import Screen

_HEAD: Final = {"v", "tenant", "at", "by"}


def audit(tenant: str | None, since: str | None, screen: Screen) -> None:
    """Print the acts in one tenant or all, oldest first; exit codes as in `output.py`."""
    try:
        since_ms = 0 if since is None else _since(since)
        tenant_id = None if tenant is None else TenantId(tenant)
        asyncio.run(_print(tenant_id, since_ms, partial(_show, screen)))
    except (
        NoBrokerError,
        AuditUnavailableError,
        UnreadableEventError,
        ValueError,
    ) as error:
        screen.problem(str(error))
        raise typer.Exit(BAD_INPUT if isinstance(error, ValueError) else FAILED) from error


async def _print(
    tenant: TenantId | None, since_ms: int, show: Callable[[AnyAuditEvent], None]
) -> None:
    async with connected() as client:
        events: AsyncIterator[AnyAuditEvent] = JetStreamAuditLog(client).read(tenant, since_ms)
        async for event in events:
            show(event)


def _show(screen: Screen, event: AnyAuditEvent) -> None:
    screen.result({"kind": audit_kind_of(event), **msgspec.to_builtins(event)}, as_line(event))


def as_line(event: AnyAuditEvent) -> str:
    """Write an act for people."""
    when = datetime.fromtimestamp(event.at / 1000, UTC).isoformat(timespec="milliseconds")
    by = " ".join(f"{name} {value}" for name, value in msgspec.to_builtins(event.by).items())
    facts = [
        f"{name}={value}" for name, value in msgspec.to_builtins(event).items() if name not in _HEAD
    ]
    # A user's name must not look like another act.
    return in_one_line("  ".join([when, event.tenant, audit_kind_of(event), *facts, f"by {by}"]))


def _since(text: str) -> int:
    try:
        return moment_ago(text, time.time_ns() // 1_000_000)
    except ValueError as error:
        raise ValueError(f"--since: {error}") from error
