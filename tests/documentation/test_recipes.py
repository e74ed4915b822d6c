"""The recipes of CONTRIBUTING.md: applied to a copy of the repository, their commands hold."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from architecture.house import ROOT, files_of_the_project
from turnwire_testing.fences import Fence, fences

PAGE = ROOT / "CONTRIBUTING.md"
PREFIX = "Add "
RECIPES = (
    "Add a response field",
    "Add an event",
    "Add a guard provider",
    "Add a backend dialect",
    "Add a setting",
    "Add a route",
)
ALL = [fence for fence in fences(PAGE) if fence.heading.startswith(PREFIX)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the files of this one, and its packages."""
    folder = tmp_path_factory.mktemp("recipes") / "turnwire"
    for path in files_of_the_project():
        place = folder / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        # With its times and what was compiled of it: to compile all anew takes ten seconds.
        shutil.copy2(path, place, follow_symlinks=False)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            (place.parent / "__pycache__").mkdir(exist_ok=True)
            shutil.copy2(compiled, place.parent / "__pycache__")
    set_up(folder)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "copied")
    return folder


def set_up(folder: Path) -> None:
    """Give a copy the packages of this repository, and nothing that could install others."""
    (folder / ".venv").mkdir()
    for part in (ROOT / ".venv").iterdir():
        if not part.name.startswith(".ready"):
            (folder / ".venv" / part.name).symlink_to(part)
    uv = folder / ".uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\necho A recipe installs nothing. >&2\nexit 1\n")
    uv.chmod(0o755)


@pytest.fixture
def repository(copy: Path) -> Path:
    """The copy as it was made."""
    git(copy, "checkout", "--quiet", "--force", "HEAD")
    git(copy, "clean", "--quiet", "--force", "-d")
    for mark in (".ready", ".ready-dev"):
        (copy / ".venv" / mark).touch()
    return copy


@pytest.mark.timeout(300)  # some ten seconds, on a machine that does nothing else
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_does_what_it_says(recipe: str, repository: Path) -> None:
    steps = [fence for fence in ALL if fence.heading == recipe]
    for step in steps:
        take(step, repository)
    commands = [step for step in steps if step.language == "bash"]
    assert commands, f"{PAGE.name} does not say how to see that '{recipe}' holds"
    for command in commands:
        run(command, repository)
    style(repository)


def test_every_recipe_is_run() -> None:
    assert {fence.heading for fence in ALL} == set(RECIPES)


def take(step: Fence, repository: Path) -> None:
    """Make the change that a block describes; commands are for later."""
    if step.language == "diff":
        for file, hunks in read_diff(step.text):
            path = repository / file
            path.write_text(changed(path.read_text(encoding="utf-8"), hunks, f"{step} {file}"))
    elif "title" in step.attributes:
        path = repository / step.attributes["title"]
        assert not path.exists(), f"{step}: {path.name} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")
    else:
        assert step.language == "bash", f"{step}: neither a change, a new file nor a command"


def read_diff(text: str) -> list[tuple[str, list[str]]]:
    """Give the files of a unified diff, each with its hunks; these need no line numbers."""
    files = re.split(r"^--- a/.*\n\+\+\+ b/(.*)\n@@\n", text, flags=re.MULTILINE)
    assert not files[0], "a diff begins with '--- a/…', '+++ b/…', '@@'"
    return [
        (file, hunks.split("\n@@\n")) for file, hunks in zip(files[1::2], files[2::2], strict=True)
    ]


def changed(text: str, hunks: list[str], place: str) -> str:
    """Apply hunks, each of which must fit in exactly one place."""
    for hunk in hunks:
        lines = hunk.rstrip("\n").split("\n")
        before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
        after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
        found = re.findall(rf"^{re.escape(before)}$", text, flags=re.MULTILINE)
        assert len(found) == 1, f"{place}: found {len(found)} times:\n{before}"
        text = re.sub(rf"^{re.escape(before)}$", lambda _: after, text, flags=re.MULTILINE)  # noqa: B023
    return text


def run(command: Fence, repository: Path) -> None:
    """Run the commands of a block, which import the copy's packages."""
    sources = sorted(repository.glob("*/*/src"))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
    }
    call = ("bash", "-euo", "pipefail", "-c", command.text)
    ran = subprocess.run(
        call, cwd=repository, env=environment, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, f"{command}:\n{command.text}\n{ran.stdout}{ran.stderr}"


def style(repository: Path) -> None:
    """What a recipe writes is as `make lint` wants it."""
    listed = git(repository, "ls-files", "--modified", "--others", "--exclude-standard")
    python = [name for name in listed.splitlines() if name.endswith(".py")]
    for check in (("check", "--quiet"), ("format", "--quiet", "--diff")):
        ran = subprocess.run(
            (".venv/bin/ruff", *check, *python),
            cwd=repository, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr


def git(folder: Path, *arguments: str) -> str:
    """Run git; gives what it says."""
    call = ("git", *arguments)
    return subprocess.run(call, cwd=folder, check=True, capture_output=True, text=True).stdout
