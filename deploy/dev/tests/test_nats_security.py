"""The embedded broker: who is let in, and what its files show to somebody who has only them."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from turnwire_chassis.broker import connect
from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.nkey import new_seed, public_key
from turnwire_chassis.broker_authorization.rights import User
from turnwire_chassis.jetstream.reading import read_batch
from turnwire_chassis.jetstream.topology import declare
from turnwire_cli.main import command_line
from turnwire_contracts.subjects import TURNS_STREAM
from turnwire_dev.components.nats import running_nats
from turnwire_dev.components.nats_security import OPEN, LogKeyError, NatsSecurity, secure
from turnwire_dev.instance.folder import DataFolder

app = command_line()


SAID = b"what somebody said " * 20


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path)
    data.prepare()
    return data


def test_each_user_has_one_secret_for_its_owner_only(folder: DataFolder) -> None:
    security = secure(folder, encrypted=True)
    assert secure(folder, encrypted=True) == security
    assert len(set(security.public_keys.values())) == len(User)
    secrets = [*(folder.seed(user) for user in User), folder.log_key]
    assert [path.stat().st_mode & 0o777 for path in secrets] == [0o600] * len(secrets)
    assert not any(path.read_text().strip() in repr(security) for path in secrets)


async def test_a_log_of_an_earlier_version_goes_on_with_users_and_encrypted(
    folder: DataFolder,
) -> None:
    await say(folder, OPEN)
    assert spoken_in(folder)

    security = secure(folder, encrypted=True)
    assert await heard(folder, security) == SAID

    assert not spoken_in(folder)
    assert await heard(folder, secure(folder, encrypted=True)) == SAID
    configuration = (folder.path / "nats.conf").read_text()
    assert not any(folder.seed(user).read_text().strip() in configuration for user in User)
    assert folder.log_key.read_text().strip() not in configuration


async def test_an_encrypted_log_is_not_begun_anew_without_its_key(folder: DataFolder) -> None:
    secure(folder, encrypted=True)
    key = folder.log_key.read_text()
    with pytest.raises(LogKeyError, match="TURNWIRE_ENCRYPT_LOG"):
        secure(folder, encrypted=False)
    folder.log_key.write_text("another")
    with pytest.raises(LogKeyError, match="another key"):
        secure(folder, encrypted=True)
    folder.log_key.unlink()
    with pytest.raises(LogKeyError, match="is gone"):
        secure(folder, encrypted=True)
    folder.log_key.write_text(key)
    assert secure(folder, encrypted=True).log_key == key.strip()


def test_a_broker_of_ones_own_is_told_of_keys_that_are_named_or_made(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    key = public_key(new_seed())
    made = CliRunner().invoke(
        app, ["broker-config", "--seeds", str(seeds), "--key", f"gateway={key}"]
    )
    assert made.exit_code == 0
    assert f"nkey: {key}" in made.stdout
    assert public_key((seeds / "store.seed").read_text()) in made.stdout
    assert not (seeds / "gateway.seed").exists()


@pytest.mark.parametrize("arguments", [[], ["--key", "gatway=U"], ["--key", "gateway=hunter2"]])
def test_what_is_wrong_with_keys_is_told_and_not_repeated(arguments: list[str]) -> None:
    told = CliRunner().invoke(app, ["broker-config", *arguments])
    assert told.exit_code == 2
    assert "hunter2" not in told.output


async def say(folder: DataFolder, security: NatsSecurity) -> None:
    async with running_nats(folder.path, security) as url:
        client = await connect(url, "test")
        jetstream = await declare(client, replicas=1)
        await jetstream.publish("turn.local.resp_1.requested", SAID)
        await client.close()


async def heard(folder: DataFolder, security: NatsSecurity) -> bytes | None:
    """Read the first event as the store does, by its own name."""
    async with running_nats(folder.path, security) as url:
        client = await connect(url, User.STORE, access=Access(seed_file=folder.seed(User.STORE)))
        try:
            jetstream = await declare(client, replicas=1)
            info = await jetstream.stream_info(TURNS_STREAM)
            message = await read_batch(client, TURNS_STREAM, "turn.>")
            assert info.state.messages == len(message)
            return message[0].data
        finally:
            await client.close()


def spoken_in(folder: DataFolder) -> bool:
    files = [path for path in folder.nats.rglob("*") if path.is_file()]
    return any(SAID[:20] in path.read_bytes() for path in files)
