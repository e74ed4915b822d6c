"""What the screen shows, and what it does when nobody looks."""

import json
import os
from pathlib import Path

import pytest

from turnwire_dev.output import JsonScreen
from turnwire_dev.screen import Screen, StartSummary, Terminal
from turnwire_dev.supervision.reports import ChildEnded


def test_a_reader_who_leaves_does_not_end_the_run() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as file:
        screen = Screen(Terminal(file=file))

        screen.warning("Nobody reads this.")
        screen.warning("Nor this.")


def test_the_start_tells_which_api_each_backend_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().welcome(
        StartSummary(
            seconds=1.0,
            url="http://127.0.0.1:8080",
            model="m",
            model_note="at backends.yaml",
            apis=("a speaks chat: the settings say so", "b speaks responses: it answers [200]"),
            data=Path("d"),
            logs=Path("l"),
            members="",
        )
    )
    told = capsys.readouterr().out
    assert "http://127.0.0.1:8080/console\n" in told
    assert "a speaks chat: the settings say so\n" in told
    assert "b speaks responses: it answers [200]\n" in told


def test_what_strangers_are_called_does_nothing_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    strange = "a\x1b]0;owned\x07\x9b2J\u202eb\nkey_2 forged"
    Screen().table(("user",), [(strange,)])
    table = capsys.readouterr().out
    assert len(table.splitlines()) == 2
    Screen().plain(strange)
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*table, *capsys.readouterr().out}
    JsonScreen().result({"user": strange})
    told = capsys.readouterr().out
    assert json.loads(told) == {"user": strange}
    assert not {"\x1b", "\x9b", "\u202e"} & {*told}


@pytest.mark.parametrize(
    ("exit_code", "told"),
    [
        (0, "guard ended (exit code 0); it restarts in 0.2 s"),
        (-15, "guard ended (SIGTERM); it restarts in 0.2 s"),
        (3, "guard died (exit code 3); it restarts in 0.2 s"),
        (-9, "guard died (SIGKILL); it restarts in 0.2 s"),
    ],
)
def test_a_process_that_was_told_to_end_did_not_die(
    exit_code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Screen().show(ChildEnded("guard", exit_code, 0.2, Path("guard.log")))
    assert told in capsys.readouterr().out
