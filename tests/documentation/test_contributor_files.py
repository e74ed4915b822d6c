"""What editors, hooks and the forge are told about the project is what the project does."""

import json
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from architecture.house import ROOT

HOOKS = ROOT / ".pre-commit-config.yaml"
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yaml"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yaml"))
PLACE = Path("services/example/src/turnwire_example/module.py")

# Each breaks one rule. The key is put together, so that this file does not hold one.
FAULTS = {
    "ruff-check": '"""A module."""\n\nimport os\n',
    "ruff-format": '"""A module."""\n\nX = {  }\n',
    "bandit": '"""A module."""\n\nX = eval("1")  # noqa: S307\n',
    "secrets": f'"""A module."""\n\nX = "AKIA{"IOSFODNN7EXAMPL2"}"\n',
}
GOOD = '"""A module."""\n\nX = 1\n'


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the hooks of this one, its configuration and its tools."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in (HOOKS.name, "pyproject.toml", ".ci/secrets"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / PLACE).parent.mkdir(parents=True)
    (folder / PLACE).with_name("__init__.py").write_text("")
    subprocess.run(("git", "init", "--quiet"), cwd=folder, check=True)
    return folder


def failed_hooks(repository: Path, text: str) -> list[str]:
    """Commit a module, and give the hooks that refuse it."""
    (repository / PLACE).write_text(text)
    subprocess.run(("git", "add", "--all"), cwd=repository, check=True)
    call = (".venv/bin/pre-commit", "run", "--files", str(PLACE))
    ran = subprocess.run(call, cwd=repository, check=False, capture_output=True, text=True)
    pairs = pairwise(ran.stdout.splitlines())
    return [after.removeprefix("- hook id: ") for line, after in pairs if line.endswith("Failed")]


@pytest.mark.parametrize("hook", FAULTS)
def test_a_hook_refuses_what_lint_refuses(hook: str, repository: Path) -> None:
    assert failed_hooks(repository, FAULTS[hook]) == [hook]


def test_hooks_let_a_good_module_pass(repository: Path) -> None:
    assert failed_hooks(repository, GOOD) == []


def test_every_hook_is_tried() -> None:
    (local,) = yaml.safe_load(HOOKS.read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["id"] for hook in local["hooks"]] == list(FAULTS)


def test_the_workflow_runs_what_must_hold_and_the_tests_on_every_python() -> None:
    jobs: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    commands = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert ".ci/run" in commands
    assert jobs["test"]["strategy"]["matrix"]["python"] == declared_pythons()


def test_forms_for_issues_ask_for_something_and_have_names() -> None:
    assert len(FORMS) >= 2
    for form in FORMS:
        said = yaml.safe_load(form.read_text())
        assert said["name"], form
        assert said["description"], form
        names = [field["id"] for field in said["body"]]
        assert len(names) == len(set(names)) > 0, form


def test_the_dev_container_sets_up_as_contributing_says() -> None:
    said = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in said["postCreateCommand"].split(" && "):
        assert command in page


def declared_pythons() -> list[str]:
    """Give the versions of Python that the packages declare, oldest first."""
    said = tomllib.loads((ROOT / "deploy" / "dev" / "pyproject.toml").read_text())
    mark = "Programming Language :: Python :: 3."
    return [
        f"3.{each.removeprefix(mark)}"
        for each in said["project"]["classifiers"]
        if each.startswith(mark)
    ]
