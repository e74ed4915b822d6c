"""A setting that is misspelt or wrong is named, with the way out, before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field

from turnwire_chassis.broker_access.access import Access
from turnwire_chassis.broker_access.nkey import new_seed
from turnwire_chassis.settings import ServiceSettings, SettingsError, load, refuse_misspelt


class Settings(ServiceSettings):
    """Settings of an example."""

    max_turns: int = Field(default=256, ge=1)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TURNWIRE"):
            monkeypatch.delenv(name)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWIRE_MAX_TURNS", "7")
    assert load(Settings).max_turns == 7


def test_everything_has_a_default() -> None:
    assert load(Settings).nats_url == "nats://127.0.0.1:4222"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("TURNWIRE_NATS_URI", "TURNWIRE_NATS_URL"),
        ("TURNWIRE_BACKND_URL", "TURNWIRE_BACKEND_URL"),
        ("TURNWIRE_LOGLEVEL", "TURNWIRE_LOG_LEVEL"),
        ("TURNWIRE_MAX_TURN", "TURNWIRE_MAX_TURNS"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_that_was_meant(given: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"{given} .* Did you mean {meant}\\?"):
        refuse_misspelt({given: "x"})


@pytest.mark.parametrize("name", ["PATH", "TURNWIRE_TEST_NATS_URL", "TURNWIRE_MODEL", "NATS_URI"])
def test_a_name_that_is_no_misspelt_setting_is_left_alone(name: str) -> None:
    refuse_misspelt({name: "x"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TURNWIRE_MAX_TURNS", "many"),
        ("TURNWIRE_MAX_TURNS", "0"),
        ("TURNWIRE_LOG_LEVEL", "loud"),
        ("TURNWIRE_HEALTH_PORT", "70000"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: .*'{value}'"):
        load(Settings)


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWIRE_MAX_TURNS", "many")
    monkeypatch.setenv("TURNWIRE_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as raised:
        load(Settings)
    told = str(raised.value).splitlines()
    assert {line.split(":")[0] for line in told} == {"TURNWIRE_MAX_TURNS", "TURNWIRE_LOG_LEVEL"}


@pytest.mark.parametrize(
    "setting", [("TURNWIRE_NATS_URI", "nats://x"), ("TURNWIRE_LOG_LEVEL", "loud")]
)
def test_a_service_with_bad_settings_says_so_and_does_not_start(setting: tuple[str, str]) -> None:
    program = (
        "from turnwire_chassis.run import run_service\n"
        "from turnwire_chassis.settings import ServiceSettings\n"
        "run_service('example', ServiceSettings, lambda settings, lifecycle: exit('it started'))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, setting[0]: setting[1]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"turnwire example: {setting[0]}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read: No such file or directory"), ("hunter2", "holds no seed of an nkey")],
)
def test_a_seed_that_cannot_be_is_told_without_what_is_in_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, problem: str
) -> None:
    file = tmp_path / "gateway.seed"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("TURNWIRE_NATS_NKEY_SEED_FILE", str(file))
    with pytest.raises(SettingsError, match=f"^TURNWIRE_NATS_NKEY_SEED_FILE: .*{problem}") as told:
        load(Settings)
    assert "hunter2" not in str(told.value)


def test_a_process_is_one_user_of_the_broker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seed, credentials = tmp_path / "a.seed", tmp_path / "a.creds"
    seed.write_text(new_seed())
    credentials.write_text("a JWT and its seed")
    monkeypatch.setenv("TURNWIRE_NATS_NKEY_SEED_FILE", str(seed))
    assert load(Settings).broker_access == Access(seed_file=seed)
    monkeypatch.setenv("TURNWIRE_NATS_CREDENTIALS", str(credentials))
    with pytest.raises(SettingsError, match=r"^TURNWIRE_NATS_CREDENTIALS: .*only one of them"):
        load(Settings)
    monkeypatch.delenv("TURNWIRE_NATS_NKEY_SEED_FILE")
    assert load(Settings).broker_access == Access(credentials_file=credentials)
