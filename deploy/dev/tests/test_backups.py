"""Backups: what is in them, that damage is found by the file's name, and where they may go."""

import asyncio
import json
import stat
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from nats.aio.client import Client

from turnwire_chassis.auditing.jetstream_audit_log import JetStreamAuditLog
from turnwire_chassis.broker import connect, disconnect
from turnwire_chassis.event_log import FencedError, Recorded
from turnwire_chassis.jetstream import api, snapshots, topology
from turnwire_chassis.jetstream.event_log import JetStreamEventLog
from turnwire_chassis.jetstream.snapshots import stream_state
from turnwire_chassis.settings import SettingsError
from turnwire_chassis.storage_space import MIB
from turnwire_contracts import subjects
from turnwire_contracts.audit.acts import OPERATOR, Actor, KeyRevoked
from turnwire_contracts.queues import QUEUES
from turnwire_dev.commands.backups.archive import archive_key, new_archive, read_archive
from turnwire_dev.commands.backups.backup import backup
from turnwire_dev.commands.backups.manifest import BadBackupError, verified
from turnwire_dev.commands.backups.restore import restore
from turnwire_dev.components.nats import running_nats
from turnwire_dev.instance import disk
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.output import JsonScreen
from turnwire_testing.examples import RESPONSE_ID, TENANT, closed, fresh_id, requested, user

pytestmark = pytest.mark.process

KEY = archive_key("a" * 64)


@dataclass
class Broker:
    """A broker without users, as the operator's may be."""

    url: str
    client: Client
    log: JetStreamEventLog

    async def turn(self) -> list[Recorded]:
        """Read the turn that every test writes."""
        return await self.log.read(TENANT, RESPONSE_ID)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncGenerator[tuple[Broker, Broker]]:
    """One with a turn that runs among others, the second with nothing."""
    async with running_nats(tmp_path / "a") as first, running_nats(tmp_path / "b") as second:
        brokers = [await _broker(first), await _broker(second)]
        log = brokers[0].log
        for _ in range(3):
            await log.append(requested(response_id=fresh_id()), None)
        await log.append(requested(input=[user("Hello")]), None)
        await brokers[0].client.jetstream().delete_msg(subjects.TURNS_STREAM, 2)
        yield brokers[0], brokers[1]
        for each in brokers:
            await disconnect(each.client)


async def _broker(url: str) -> Broker:
    client = await connect(url, "test")
    return Broker(url, client, JetStreamEventLog(client, await topology.declare(client, 1)))


@dataclass
class Operator:
    """A person with the command, who works on a data folder and perhaps a broker."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def at(self, data: Path, url: str = "") -> None:
        """Set what the commands read from the environment."""
        self.monkeypatch.setenv("TURNWIRE_DATA_DIR", str(data))
        self.monkeypatch.setenv("TURNWIRE_NATS_URL", url)

    async def backup(self, folder: Path, *, without_secrets: bool = False) -> dict[str, Any]:
        """Make a backup; gives what is printed at the end."""
        await asyncio.to_thread(backup, folder, JsonScreen(), without_secrets=without_secrets)
        return self.said()

    async def restore(
        self,
        folder: Path,
        *,
        replace: bool = False,
        without_views: bool = True,
        log_key: Path | None = None,
    ) -> dict[str, Any]:
        """Restore one; gives what is printed at the end."""
        told = {"replace": replace, "without_views": without_views}
        await asyncio.to_thread(restore, folder, log_key, JsonScreen(), **told)
        return self.said()

    async def refused(self, folder: Path, **options: Any) -> str:
        """Try to restore one; gives why it is refused."""
        with pytest.raises(typer.Exit) as ended:
            await self.restore(folder, **options)
        assert ended.value.exit_code == 1
        return self.said()["text"]

    def said(self) -> dict[str, Any]:
        """Give the last line."""
        return json.loads(self.capsys.readouterr().out.splitlines()[-1])


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    """With an environment that names nothing."""
    for name in ("NATS_NKEY_SEED_FILE", "MONGODB_URL", "VIEW_KEY", "KEY_PEPPER", "SEAL_KEY"):
        monkeypatch.delenv(f"TURNWIRE_{name}", raising=False)
    return Operator(monkeypatch, capsys)


async def test_sequences_and_fences_are_the_same_in_another_broker(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    first, second = two
    operator.at(tmp_path / "data", first.url)
    made = await operator.backup(tmp_path / "backup")
    assert made["last_sequence"][subjects.TURNS_STREAM] == 4
    assert not made["sealed"]

    operator.at(tmp_path / "data", second.url)
    await operator.restore(tmp_path / "backup")

    assert await second.turn() == await first.turn()
    with pytest.raises(FencedError):
        await second.log.append(closed(), 3)
    assert await second.log.append(closed(), 4) == 5
    state = await stream_state(second.client, subjects.TURNS_STREAM)
    assert state is not None
    assert (state.messages, state.last_seq) == (4, 5)


async def test_a_broker_with_something_in_it_is_replaced_only_when_told(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    first, second = two
    operator.at(tmp_path / "data", first.url)
    await operator.backup(tmp_path / "backup")
    operator.at(tmp_path / "data", second.url)
    other = await second.log.append(requested(response_id=fresh_id()), None)

    assert "--replace" in await operator.refused(tmp_path / "backup")
    assert (await stream_state(second.client, subjects.TURNS_STREAM)).last_seq == other  # pyright: ignore[reportOptionalMemberAccess] -- it is there

    await operator.restore(tmp_path / "backup", replace=True)
    assert await second.turn() == await first.turn()


async def test_what_was_erased_while_it_was_taken_may_be_missing(
    two: tuple[Broker, Broker],
    operator: Operator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = two
    answered = snapshots._ask  # pyright: ignore[reportPrivateUsage] -- between it and the parts

    async def erased_meanwhile(*about: Any) -> dict[str, Any]:
        head = await answered(*about)
        if about[1] == subjects.TURNS_STREAM and "num_consumers" not in head:
            head["state"]["messages"] += 1
        return head

    operator.at(tmp_path / "data", first.url)
    with monkeypatch.context() as during:
        during.setattr(snapshots, "_ask", erased_meanwhile)
        await operator.backup(tmp_path / "backup")
    operator.at(tmp_path / "data", second.url)

    await operator.restore(tmp_path / "backup")

    assert await second.turn() == await first.turn()


async def test_the_list_of_what_must_be_erased_again_is_kept_and_told(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    first, _ = two
    operator.at(tmp_path / "data", first.url)
    await operator.backup(tmp_path / "backup")
    audit = JetStreamAuditLog(first.client)
    at = time.time_ns() // 1_000_000
    revoked = KeyRevoked(tenant=TENANT, at=at, by=Actor(OPERATOR), key_id="k1")
    await audit.note(revoked)

    done = await operator.restore(tmp_path / "backup", replace=True)

    assert [each["kind"] for each in done["to_do_again"]] == ["key_revoked"]
    assert [each async for each in audit.read(None, 0)] == [revoked]


async def test_without_a_database_the_views_must_be_renounced(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    operator.at(tmp_path / "data", two[0].url)
    await operator.backup(tmp_path / "backup")
    operator.at(tmp_path / "data", two[1].url)

    with pytest.raises(SettingsError, match="TURNWIRE_MONGODB_URL"):
        await operator.restore(tmp_path / "backup", without_views=False)


async def test_nothing_is_replaced_while_services_use_the_broker(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    first, _ = two
    operator.at(tmp_path / "data", first.url)
    await operator.backup(tmp_path / "backup")
    consumer = topology.turn_consumer(QUEUES[0], 5)
    jetstream = first.client.jetstream()
    await topology.declare_consumer(jetstream, subjects.TURNS_STREAM, consumer)
    name = QUEUES[0].consumer
    wish = {"batch": 100, "expires": 60 * 1_000_000_000, "group": topology.PRIORITY_GROUP}
    pull = json.dumps(wish).encode()
    inbox = first.client.new_inbox()
    subscription = await first.client.subscribe(inbox)
    await first.client.publish(api.next_messages(subjects.TURNS_STREAM, name), pull, reply=inbox)
    await first.client.flush()

    assert "orchestrators" in await operator.refused(tmp_path / "backup", replace=True)

    await subscription.unsubscribe()
    await operator.restore(tmp_path / "backup", replace=True)


async def test_every_damaged_file_is_refused_by_its_name(
    two: tuple[Broker, Broker], operator: Operator, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    data.prepare()
    data.key_pepper.write_text("pepper\n")
    operator.at(data.path, two[0].url)
    await operator.backup(tmp_path / "backup")
    files = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert {"key.pepper", "TURNS.snapshot", "manifest.json"} <= {path.name for path in files}

    for path in files:
        whole = path.read_bytes()
        for damaged in (bytes([whole[0] ^ 1]) + whole[1:], whole[:-1], None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(BadBackupError, match=path.name):
                verified(tmp_path / "backup")
            path.write_bytes(whole)
    verified(tmp_path / "backup")


async def test_a_data_folder_is_restored_with_its_secrets_and_what_was_there_is_kept(
    operator: Operator, tmp_path: Path
) -> None:
    first, second = DataFolder(tmp_path / "first"), DataFolder(tmp_path / "second")
    operator.at(first.path)
    made = await operator.backup(tmp_path / "backup")
    assert made["sealed"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "backup").rglob("*.*")}
    assert modes <= {0o600, 0o644}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    operator.at(second.path)
    await operator.restore(tmp_path / "backup")
    assert second.log_key.read_text() == first.log_key.read_text()
    second.key_pepper.write_text("made since\n")

    text = await operator.refused(tmp_path / "backup")

    assert "nats" in text
    assert "--replace" in text
    await operator.restore(tmp_path / "backup", replace=True)
    (aside,) = second.path.glob("replaced-*")
    assert (aside / "key.pepper").read_text() == "made since\n"
    with second.held():
        text = await operator.refused(tmp_path / "backup", replace=True)
    assert "Stop it first" in text


async def test_without_its_secrets_a_sealed_backup_needs_the_key_of_the_log(
    operator: Operator, tmp_path: Path
) -> None:
    first = DataFolder(tmp_path / "first")
    operator.at(first.path)
    made = await operator.backup(tmp_path / "backup", without_secrets=True)
    assert made["secrets"] == []
    assert "nats.key" in made["left_out"]
    operator.at(tmp_path / "second")

    assert "--log-key" in await operator.refused(tmp_path / "backup")
    other = tmp_path / "other.key"
    other.write_text("b" * 64)
    assert "is not the key" in await operator.refused(tmp_path / "backup", log_key=other)

    done = await operator.restore(tmp_path / "backup", log_key=first.log_key)
    assert "nats.key" not in done["missing_secrets"]


async def test_neither_takes_the_room_that_turns_need_to_end(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.at(tmp_path / "first")
    await operator.backup(tmp_path / "backup")
    operator.at(tmp_path / "second")

    def nearly_full(folder: Path, *, otherwise: int) -> int:
        del folder, otherwise
        return 63 * MIB

    monkeypatch.setattr(disk, "free_bytes", nearly_full)

    assert "64 MiB that stay free" in await operator.refused(tmp_path / "backup")
    monkeypatch.setenv("TURNWIRE_DATA_DIR", str(tmp_path / "first"))
    with pytest.raises(typer.Exit):
        await operator.backup(tmp_path / "another")
    assert "64 MiB that stay free" in operator.said()["text"]
    assert not (tmp_path / "another").exists()


async def test_a_backup_overwrites_nothing(operator: Operator, tmp_path: Path) -> None:
    operator.at(tmp_path / "first")
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").touch()
    with pytest.raises(Exception, match="is there already"):
        await operator.backup(tmp_path / "backup")
    assert not (tmp_path / "backup.unfinished").exists()


def test_a_sealed_archive_opens_whole_and_for_its_own_stream_only(tmp_path: Path) -> None:
    path = tmp_path / "TURNS.snapshot"
    with new_archive(path, "TURNS", KEY) as archive:
        archive.write(b"one")
        archive.write(b"two")
    assert list(read_archive(path, "TURNS", KEY)) == [b"one", b"two"]
    assert b"one" not in path.read_bytes()
    for stream, key in (("DEAD", KEY), ("TURNS", archive_key("b" * 64))):
        with pytest.raises(BadBackupError, match="does not open"):
            list(read_archive(path, stream, key))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadBackupError, match="does not open"):
        list(read_archive(path, "TURNS", KEY))
