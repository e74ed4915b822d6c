"""What `turnwire --help` loads and shows, and that every command keeps its promises."""

import json
import subprocess
import sys

import pytest
import typer

from turnwire_cli.main import command_line
from turnwire_testing.command_tree import commands

HEAVY = (
    *("rich", "pydantic", "msgspec", "orjson", "httpx2", "mcp", "yaml", "nats", "asyncio", "email"),
    *("fastapi", "aiohttp", "turnwire_client", "turnwire_contracts", "turnwire_chassis"),
)
"""What no help needs; each would take longer to load than all that it does need."""

MOST_MODULES = 250
"""Python's own and typer's are some 200; it is their number that the time goes with."""

_LOADED = """
import json, sys
from turnwire_cli.main import main
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


ALL = dict(commands(typer.main.get_command(command_line())))
BROKER = {"up", "doctor", "broker-replay", "broker-config", "audit", "erase", "rebuild", "backup"}


@pytest.mark.parametrize("arguments", [["--help"], ["responses", "ls", "--help"], ["--version"]])
def test_a_help_loads_little(arguments: list[str]) -> None:
    call = (sys.executable, "-c", _LOADED, *arguments)
    ran = subprocess.run(call, check=True, capture_output=True, text=True)
    loaded = set(json.loads(ran.stderr))
    # Typer judges the values of options by pydantic; a version is read by importlib.
    own = {"email", "pydantic"} if arguments != ["--help"] else set[str]()
    assert (set(HEAVY) - own) & loaded == set()
    assert arguments != ["--help"] or len(loaded) < MOST_MODULES


def test_the_commands_that_need_a_broker_stand_apart_and_last() -> None:
    call = (sys.executable, "-m", "turnwire_cli", "--help")
    page = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    client, _, broker = page.partition("On the machine that runs Turnwire")
    assert client.index("\nAsk:") < client.index("\nLook:") < client.index("\nDebug:")
    listed = {line.split()[0] for line in broker.splitlines()[1:] if line.startswith("  ")}
    assert listed >= BROKER
    assert not {line.split()[0] for line in client.splitlines() if line.strip()} & BROKER


@pytest.mark.parametrize("name", ALL)
def test_every_command_says_what_it_says_as_objects_too(name: str) -> None:
    options = {flag: option for option in ALL[name].params for flag in option.opts}
    assert options["-o"] is options["--output"]
    assert ALL[name].help


@pytest.mark.parametrize("name", [each for each in ALL if each.split()[1] not in BROKER])
def test_every_command_of_the_client_can_be_told_a_server(name: str) -> None:
    flags = {flag for option in ALL[name].params for flag in option.opts}
    offline = name.split()[1] in {"explain", "context", "restore", "dead", "keys"}
    assert ({"--url", "--api-key", "--context"} <= flags) is not offline
