"""`turnwire keys`: makes, lists and revokes API keys."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
import typer

from turnwire_chassis.administration.key_acts import (
    KeyActPorts,
    UnknownKeyError,
    create_key,
    in_order,
    refused_key,
    revoke_key,
)
from turnwire_chassis.api_keys.bucket import KeyBucket, KeyEntry
from turnwire_chassis.api_keys.key_text import ID_BYTES, SECRET_BYTES, is_key_id, new_key
from turnwire_chassis.api_keys.pepper import parse_pepper
from turnwire_chassis.api_keys.record import SCOPES, KeyOwner, KeyRecord, KeyTerms, Scope, recorded
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.settings import SettingsError, load
from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_cli.moments import moment_ahead
from turnwire_contracts.audit.acts import OPERATOR, Actor
from turnwire_dev.commands.key_propagation import until_taken
from turnwire_dev.commands.operator import NoBrokerError, reached
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import seal_key
from turnwire_dev.screen import Screen
from turnwire_dev.settings import RunnerSettings

GivenT = TypeVar("GivenT")


class BadInputError(Exception):
    """What was asked for cannot be; the text says what can."""


def create(owner: KeyOwner, scopes: Sequence[Scope], expires: str | None, screen: Screen) -> None:
    """Make a key, wait until the gateway here takes it, and print it once, on the last line.

    Without `scopes` it has all; `expires` is a moment, or how long it is good: `30d`.
    """
    terms = _terms(scopes, expires)
    _refuse_impossible(owner, terms)
    record, key = _run(_create(owner, terms))
    until = _until(record)
    screen.result(
        {
            "id": record.id,
            "key": key,
            **msgspec.to_builtins(owner),
            "scopes": [*record.scopes],
            "expires": until,
        },
        f"Key {record.id} is {owner.user}'s in tenant {owner.tenant} ({owner.role}).",
        *([f"It expires at {until} UTC."] if until else []),
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
        (
            *("key", "ends in", "tenant", "user", "role", "label", "created", "revoked"),
            *("scopes", "expires"),
        ),
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


def _terms(scopes: Sequence[Scope], expires: str | None) -> KeyTerms:
    try:
        expires_ms = None if expires is None else moment_ahead(expires, _now_ms())
    except ValueError as error:
        raise _bad_input(f"--expires: {error}") from error
    return KeyTerms(in_order(scopes) or SCOPES, expires_ms)


def _refuse_impossible(owner: KeyOwner, terms: KeyTerms) -> None:
    if (refused := refused_key(owner, terms, _now_ms())) is not None:
        option = {"expires_at": "expires", "scopes": "scope"}.get(refused.field, refused.field)
        raise _bad_input(f"--{option}: {refused.problem}")


async def _create(owner: KeyOwner, terms: KeyTerms) -> tuple[KeyRecord, str]:
    if load(RunnerSettings).nats_url:
        # Fails early: before the broker is asked.
        _pepper()
    key = new_key(secrets.token_bytes(ID_BYTES + SECRET_BYTES))
    async with _ports() as ports:
        # Only now: the folder is held, so that one process makes its first pepper.
        record = recorded(key, owner, _pepper(), _now_ms(), terms)
        _close_folder()
        await create_key(ports, record, Actor(OPERATOR))
    await until_taken(key, load(RunnerSettings))
    return record, key


async def _entries() -> Sequence[KeyEntry]:
    async with _ports() as ports:
        return await ports.keys.read()


async def _revoke(key_id: str) -> bool:
    async with _ports() as ports:
        try:
            return (await revoke_key(ports, key_id, Actor(OPERATOR), _now_ms()))[1]
        except UnknownKeyError as error:
            raise BadInputError(
                f"There is no key {key_id}. Those that there are: turnwire keys list"
            ) from error


@asynccontextmanager
async def _ports() -> AsyncGenerator[KeyActPorts]:
    async with reached() as client:
        yield KeyActPorts(KeyBucket(client), JetStreamAuditLog(client))


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
    made = (*about, _day(record.created_ms), revoked)
    return (record.id, f"…{record.ending}", *made, ",".join(record.scopes), _until(record))


def _until(record: KeyRecord) -> str:
    return "" if record.expires_ms is None else _day(record.expires_ms)


def _day(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at_ms / 1000))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
