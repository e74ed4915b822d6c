"""Codex, the coding agent, with Turnwire as its model provider."""

from pathlib import Path
from typing import Any

import pytest

from clients.rig.programs import Programs
from clients.rig.questions import FIRST, HOW_MUCH, PARIS, SECOND, SUM, TOWER
from e2e.rig.conversation import MODEL, said_in
from scripted_backend import ScriptedBackend, calls

pytestmark = [pytest.mark.clients, pytest.mark.installed]

SETTINGS = """\
model = "{model}"
model_provider = "turnwire"

[model_providers.turnwire]
name = "Turnwire"
base_url = "{url}"
env_key = "TURNWIRE_TOKEN"
wire_api = "responses"
supports_websockets = {websockets}

[analytics]
enabled = false
"""
RUNS_ECHO = calls("exec_command", {"cmd": "echo $((19 + 23))", "login": False})


async def test_codex_answers(programs: Programs, backend: ScriptedBackend, tmp_path: Path) -> None:
    backend.script(PARIS)
    events = await _exec(programs, tmp_path, FIRST)
    assert _said(events) == ["Paris."]
    assert events[-1]["type"] == "turn.completed"
    assert events[-1]["usage"]["input_tokens"] == 12
    (request,) = backend.requests
    assert said_in(request)[-1] == ("user", FIRST)
    told = {tool.get("name", tool["type"]) for tool in request.body["tools"]}
    # The second is in a namespace of Codex's: a backend is told its qualified name.
    assert {"exec_command", "multi_agent_v1__spawn_agent", "web_search"} <= told


async def test_codex_goes_on_with_a_session(
    programs: Programs, backend: ScriptedBackend, tmp_path: Path
) -> None:
    backend.script(PARIS, TOWER)
    await _exec(programs, tmp_path, FIRST)
    events = await _exec(programs, tmp_path, "resume", "--last", SECOND)
    assert _said(events) == ["Its tower."]
    said = said_in(backend.requests[1])
    places = [said.index(part) for part in (("user", FIRST), ("assistant", "Paris."))]
    assert places == sorted(places)
    assert said[-1] == ("user", SECOND)


async def test_codex_runs_a_command_and_uses_what_it_prints(
    programs: Programs, backend: ScriptedBackend, tmp_path: Path
) -> None:
    backend.script(RUNS_ECHO, SUM)
    assert _said(await _exec(programs, tmp_path, HOW_MUCH)) == ["It is 42."]
    _assert_the_command_ran(backend)


async def test_codex_works_over_a_websocket(
    programs: Programs, backend: ScriptedBackend, tmp_path: Path
) -> None:
    backend.script(RUNS_ECHO, SUM)
    events = await _exec(programs, tmp_path, HOW_MUCH, websockets=True)
    assert _said(events) == ["It is 42."]
    # It would fall back to HTTP, and say so.
    assert [each for each in events if "falling back" in str(each).lower()] == []
    _assert_the_command_ran(backend)


async def _exec(
    programs: Programs, home: Path, *asked: str, websockets: bool = False
) -> list[dict[str, Any]]:
    settings = SETTINGS.format(
        model=MODEL,
        url=programs.environment["TURNWIRE_URL"],
        websockets=str(websockets).lower(),
    )
    (home / "config.toml").write_text(settings, encoding="utf-8")
    # Its sandbox needs rights that a container may not have; the only command is an echo.
    sandbox = ("--sandbox", "danger-full-access")
    options = ("--json", "--skip-git-repo-check", *sandbox, "--cd", str(home))
    return await programs.codex("exec", *options, *asked, home=home)


def _assert_the_command_ran(backend: ScriptedBackend) -> None:
    *_, asked, called, printed = said_in(backend.requests[-1])
    assert (asked, called[0]) == (("user", HOW_MUCH), "function_call")
    assert (printed[0], "42" in printed[1].split()) == ("function_call_output", True)


def _said(events: list[dict[str, Any]]) -> list[str]:
    items = [event["item"] for event in events if event["type"] == "item.completed"]
    return [item["text"] for item in items if item["type"] == "agent_message"]
