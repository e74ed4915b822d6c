"""`turnwire keys`: makes, lists and revokes API keys."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import typer

from turnwire_chassis.api_keys.bucket import KeyBucket, KeyEntry
from turnwire_chassis.api_keys.key_text import ID_BYTES, SECRET_BYTES, is_key_id, new_key
from turnwire_chassis.api_keys.pepper import parse_pepper
from turnwire_chassis.api_keys.record import KeyOwner, KeyRecord, recorded
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.settings import SettingsError, load
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_contracts.audit.acts import OPERATOR, Actor, AnyAuditEvent, KeyCreated, KeyRevoked
from turnwire_contracts.ids import is_tenant_id
from turnwire_dev.commands.key_propagation import until_taken
from turnwire_dev.commands.operator import NoBrokerError, reached
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import seal_key
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings

_LONGEST_USER: Final = 256
_LONGEST_LABEL: Final = 64

GivenT = TypeVar("GivenT")


class BadInputError(Exception):
    """What was asked for cannot be; the text says what can."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The bucket of keys, and the audit log."""

    bucket: KeyBucket
    audit: JetStreamAuditLog

    async def note(self, event: AnyAuditEvent) -> None:
        """Note an act before it is done."""
        await self.audit.note(event)


def create(holder: KeyOwner, screen: Screen) -> None:
    """Make a key, wait until the gateway here takes it, and print it once, on the last line."""
    _refuse_impossible(holder)
    record, key = _run(_create(holder))
    screen.result(
        {"id": record.id, "key": key, **msgspec.to_builtins(holder)},
        f"Key {record.id} is {holder.user}'s in tenant {holder.tenant} ({holder.role}).",
        "It is shown only here; what is kept cannot give it back:",
        key,
    )


def show(tenant: str | None, screen: Screen) -> None:
    """Print all keys of one tenant or all, those that were revoked too, without secrets."""
    records = [each.record for each in _run(_entries()) if each.record is not None]
    chosen = [each for each in records if tenant in (None, each.holder.tenant)]
    if not chosen:
        screen.remark("There are no keys" + (f" in tenant {tenant}." if tenant else "."))
        return
    screen.table(
        ("key", "ends in", "tenant", "user", "role", "label", "created", "revoked"),
        [_row(each) for each in sorted(chosen, key=lambda each: each.created_ms)],
    )


def revoke(key_id: str, screen: Screen) -> None:
    """Make a key useless for good; doing it again changes nothing."""
    if not is_key_id(key_id):
        raise _bad_input(
            f"{key_id[:12]!r} is no id of a key; they look like key_8fQ2…: turnwire keys list"
        )
    revoked = _run(_revoke(key_id))
    words = "is revoked; gateways refuse it within seconds." if revoked else "was revoked before."
    screen.result({"id": key_id, "revoked_now": revoked}, f"Key {key_id} {words}")


def _refuse_impossible(holder: KeyOwner) -> None:
    if not is_tenant_id(holder.tenant):
        raise _bad_input("--tenant: 1 to 64 of the letters A-Z a-z 0-9 _ -")
    if not 0 < len(holder.user.strip()) <= _LONGEST_USER:
        raise _bad_input(f"--user: 1 to {_LONGEST_USER} letters")
    if len(holder.label) > _LONGEST_LABEL:
        raise _bad_input(f"--label: at most {_LONGEST_LABEL} letters")


async def _create(holder: KeyOwner) -> tuple[KeyRecord, str]:
    if load(RunnerSettings).nats_url:
        # Fails early: before the broker is asked.
        _pepper()
    key = new_key(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    async with _keys() as keys:
        # Only now: the folder is held, so that one process makes its first pepper.
        record = recorded(key, holder, _pepper(), _now_ms())
        _close_folder()
        roles = ["user", "admin"] if holder.role == "admin" else ["user"]
        await keys.note(
            KeyCreated(
                tenant=holder.tenant,
                at=record.created_ms,
                by=Actor(OPERATOR),
                key_id=record.id,
                user=holder.user,
                roles=roles,
            )
        )
        await keys.bucket.put(record, expected=0)
    await until_taken(key, load(RunnerSettings))
    return record, key


async def _entries() -> Sequence[KeyEntry]:
    async with _keys() as keys:
        return await keys.bucket.read()


async def _revoke(key_id: str) -> bool:
    async with _keys() as keys:
        entries = [each for each in await keys.bucket.read() if each.key_id == key_id]
        if not entries or (record := entries[-1].record) is None:
            raise BadInputError(
                f"There is no key {key_id}. Those that there are: turnwire keys list"
            )
        if record.revoked_ms is not None:
            return False
        now = _now_ms()
        tenant = record.holder.tenant
        await keys.note(KeyRevoked(tenant=tenant, at=now, by=Actor(OPERATOR), key_id=record.id))
        changed = msgspec.structs.replace(record, revoked_ms=now)
        await keys.bucket.put(changed, expected=entries[-1].sequence)
        return True


@asynccontextmanager
async def _keys() -> AsyncGenerator[Keys]:
    async with reached() as client:
        yield Keys(KeyBucket(client), JetStreamAuditLog(client))


def _pepper() -> bytes:
    """Give the pepper that the gateways have. Raises `SettingsError`."""
    settings = load(RunnerSettings)
    pepper = parse_pepper(settings.key_pepper)
    if pepper:
        return pepper
    path = DataFolder(settings.data_dir).key_pepper
    if settings.nats_url and not path.exists():
        raise SettingsError(
            "TURNWIRE_KEY_PEPPER is missing: with a broker of your own, say what the gateways "
            "hash keys with. Make one for all of them with: openssl rand -hex 32"
        )
    return seal_key(path).encode()


def _close_folder() -> None:
    """Mark the folder: from the next start on, every request needs a key."""
    settings = load(RunnerSettings)
    if settings.nats_url is None:
        DataFolder(settings.data_dir).closed.touch(mode=0o600)


def _run(work: Coroutine[None, None, GivenT]) -> GivenT:
    """Run `work`; an error that can be expected is printed without a trace, with its exit code."""
    try:
        return asyncio.run(work)
    except BadInputError as error:
        raise _bad_input(str(error)) from error
    except (NoBrokerError, LogUnavailableError, AuditUnavailableError, OSError) as error:
        Screen.of_errors().problem(str(error))
        raise typer.Exit(FAILED) from error


def _bad_input(text: str) -> typer.Exit:
    Screen.of_errors().problem(text)
    return typer.Exit(BAD_INPUT)


def _row(record: KeyRecord) -> tuple[str, ...]:
    holder = record.holder
    revoked = "" if record.revoked_ms is None else _day(record.revoked_ms)
    about = (holder.tenant, holder.user, holder.role, holder.label)
    return (record.id, f"…{record.ending}", *about, _day(record.created_ms), revoked)


def _day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at_ms / 1000))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
