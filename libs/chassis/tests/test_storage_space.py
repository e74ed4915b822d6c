"""How much room is needed for what, and what an append says when there is none."""

from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck

from turnwire_chassis import storage_space
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.event_log import LogUnavailableError, StorageFullError
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.topology import log_trouble
from turnwire_chassis.storage_space import (
    ANYWHERE,
    FOR_ANY_EVENT,
    FOR_NEW_TURNS,
    FOR_VIEWS,
    MIB,
    StorageSpace,
)
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import OPERATOR, Actor, AdminActed
from turnwire_contracts.ids import TenantId
from turnwire_testing.examples import closed, fresh_id, requested

RESERVE = 64 * MIB
SHARES = (FOR_NEW_TURNS, FOR_VIEWS, FOR_ANY_EVENT)


class Disk:
    """A disk as `statvfs` tells of it; `free` can be set."""

    def __init__(self) -> None:
        self.free = 10 * RESERVE

    def bytes(self, folder: Path, *, otherwise: int) -> int:
        del folder, otherwise
        return self.free


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(storage_space, "free_bytes", made.bytes)
    monkeypatch.setattr(storage_space, "_LOOK_EVERY_S", 0.0)
    return made


@pytest.mark.parametrize(
    ("free_mib", "refused"),
    [
        (64, set[float]()),
        (63, {FOR_NEW_TURNS}),
        (15, {FOR_NEW_TURNS, FOR_VIEWS}),
        (3, {FOR_NEW_TURNS, FOR_VIEWS, FOR_ANY_EVENT}),
    ],
)
def test_the_less_is_free_the_less_is_begun(
    disk: Disk, tmp_path: Path, free_mib: int, refused: set[float]
) -> None:
    disk.free = free_mib * MIB
    space = StorageSpace(tmp_path, RESERVE)

    assert {share for share in SHARES if not _has_room(space, share)} == refused
    assert (space.trouble() is None) == (not refused)


def test_a_disk_that_is_not_known_has_room() -> None:
    assert ANYWHERE.trouble() is None


def test_a_folder_that_is_gone_has_room(tmp_path: Path) -> None:
    assert StorageSpace(tmp_path / "gone").trouble() is None


async def test_a_full_disk_takes_no_new_turn_and_lets_running_ones_end(
    client: Client, jetstream: JetStreamContext, disk: Disk, tmp_path: Path
) -> None:
    log = JetStreamEventLog(client, jetstream, StorageSpace(tmp_path, RESERVE))
    running, later = requested(response_id=fresh_id()), requested(response_id=fresh_id())
    sequence = await log.append(running, 0)
    disk.free = RESERVE - 1

    with pytest.raises(StorageFullError, match="63 MiB are free"):
        await log.append(later, None)
    await log.append(closed(response_id=running.response_id), sequence)

    disk.free = RESERVE
    await log.append(later, None)


async def test_a_disk_without_any_room_takes_no_event_and_no_act(
    client: Client, jetstream: JetStreamContext, disk: Disk, tmp_path: Path
) -> None:
    space = StorageSpace(tmp_path, RESERVE)
    log = JetStreamEventLog(client, jetstream, space)
    held = fresh_id()
    sequence = await log.append(requested(response_id=held), 0)
    disk.free = 3 * MIB

    with pytest.raises(StorageFullError):
        await log.append(closed(response_id=held), sequence)
    with pytest.raises(AuditUnavailableError) as refused:
        await JetStreamAuditLog(client, space).note(_act())
    assert isinstance(refused.value.__cause__, StorageFullError)


async def test_what_may_have_begun_is_not_said_to_have_found_no_room(
    client: Client, jetstream: JetStreamContext, disk: Disk, tmp_path: Path
) -> None:
    """`storage_full` tells a client that nothing was done."""
    log = JetStreamEventLog(client, jetstream, StorageSpace(tmp_path, RESERVE))
    running, unanswered = requested(response_id=fresh_id()), requested(response_id=fresh_id())
    sequence = await log.append(running, 0)

    class Silent(JetStreamContext):
        async def publish(self, *args: Any, **options: Any) -> PubAck:
            disk.free = 3 * MIB
            await super().publish(*args, **options)
            raise TimeoutError

    log = JetStreamEventLog(client, Silent(client), StorageSpace(tmp_path, RESERVE))
    with pytest.raises(LogUnavailableError) as refused:
        await log.append(unanswered, None)
    assert not isinstance(refused.value, StorageFullError)
    assert not isinstance(refused.value.__cause__, StorageFullError)
    assert await log.read(unanswered.tenant, unanswered.response_id)

    disk.free = RESERVE
    with pytest.raises(StorageFullError):
        await log.append(closed(response_id=running.response_id), sequence)


async def test_a_stream_at_its_limit_is_full_and_its_health_says_so(
    client: Client, jetstream: JetStreamContext
) -> None:
    log = JetStreamEventLog(client, jetstream)
    await log.append(requested(response_id=fresh_id()), 0)
    event = requested(response_id=fresh_id())
    info = await jetstream.stream_info(subjects.TURNS_STREAM)
    try:
        info.config.max_bytes = info.state.bytes + 10
        await jetstream.update_stream(info.config)

        with pytest.raises(StorageFullError):
            await log.append(event, 0)
        assert "TURNS is full" in (await log_trouble(client) or "")
    finally:
        info.config.max_bytes = -1
        await jetstream.update_stream(info.config)

    await log.append(event, 0)
    assert await log_trouble(client) is None


def _act() -> AdminActed:
    return AdminActed(
        tenant=TenantId("acme"), at=0, by=Actor(OPERATOR), act="purge", about="resp_1"
    )


def _has_room(space: StorageSpace, share: float) -> bool:
    try:
        space.require(share)
    except StorageFullError:
        return False
    return True
