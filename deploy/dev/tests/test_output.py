"""`-o json` of every command, exit codes, and completion."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from turnwire_chassis.event_log import Recorded
from turnwire_cli.main import command_line
from turnwire_cli.replaying import log_file
from turnwire_cli.replaying.log_file import LogHeading
from turnwire_dev.testing import UpUnderTest
from turnwire_testing.command_tree import commands
from turnwire_testing.examples import RESPONSE_ID, closed, requested

pytestmark = pytest.mark.process

app = command_line()


ALL = dict(commands(typer.main.get_command(app)))


def said(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """Run a command with `-o json`; gives the objects that it prints."""
    ran = CliRunner().invoke(app, [*arguments, "-o", "json"])
    assert ran.exit_code == code, ran.output
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_json(name: str) -> None:
    options = {flag: option for option in ALL[name].params for flag in option.opts}
    assert options["-o"] is options["--output"]


def test_doctor_says_each_check_as_an_object(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TURNWIRE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TURNWIRE_LIMITS", str(tmp_path / "nowhere.yaml"))
    checks = said("doctor", code=1)
    assert {"settings", "data", "running"} <= {each["check"] for each in checks}
    (wrong,) = [each for each in checks if not each["ok"]]
    assert "nowhere.yaml" in wrong["text"]
    assert wrong["way_out"]


def test_a_replay_of_the_broker_gives_whole_events(tmp_path: Path) -> None:
    long = "word " * 100
    asked = {"type": "message", "role": "user", "content": long}
    heading = LogHeading("turn", RESPONSE_ID)
    log_file.write(
        tmp_path / "log", heading, [Recorded(7, requested(input=[asked])), Recorded(8, closed())]
    )
    first, second = said("broker-replay", "--from-file", str(tmp_path / "log"))
    assert (first["sequence"], first["kind"], first["next"]) == (7, "requested", "Sample")
    assert first["event"]["input"] == [asked]
    assert second["event"]["response_id"] == RESPONSE_ID


def test_the_brokers_users_are_an_object(tmp_path: Path) -> None:
    (told,) = said("broker-config", "--seeds", str(tmp_path))
    assert told["nkeys"]["gateway"] in told["authorization"]


async def test_a_run_is_told_in_events(environment: Mapping[str, str]) -> None:
    up = await UpUnderTest.start(environment, sys.executable, "-o", "json")
    try:
        await up.says('"event":"up"')
    finally:
        up.process.send_signal(signal.SIGINT)
        code = await up.ends()
    events = [json.loads(line) for line in up.lines]
    kinds = [each["event"] for each in events]
    assert (code, kinds[0], kinds[-1]) == (0, "starting", "stopped")
    ready = {each["child"] for each in events if each["event"] == "ready"}
    assert {"gateway", "orchestrator", "store", "guard", "tool-runner"} <= ready
    (welcome,) = [each for each in events if each["event"] == "up"]
    assert welcome["url"].endswith(f":{up.port}/v1")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["broker-replay", "--from-file", "nowhere"], 1),
        (["broker-replay", "msg_1"], 2),
        (["broker-replay"], 2),
        (["audit", "--since", "yesterday"], 2),
        (["broker-config", "--key", "nobody=U"], 2),
        (["keys", "revoke", "nothing"], 2),
        (["keys", "create", "--tenant", "a b", "--user", "ada", "--role", "user"], 2),
        (["up", "--nowhere"], 2),
        (["dance"], 2),
        (["doctor", "-o", "xml"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == code


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_a_shell_can_complete_commands(shell: str) -> None:
    environment = {**os.environ, "_TURNWIRE_COMPLETE": f"source_{shell}"}
    call = (str(Path(sys.executable).with_name("turnwire")),)
    script = await asyncio.to_thread(
        subprocess.run, call, env=environment, check=True, capture_output=True, text=True
    )
    assert "_TURNWIRE_COMPLETE" in script.stdout
