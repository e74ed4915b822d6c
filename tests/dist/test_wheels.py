"""The wheels that `make dist` has built, in environments that have nothing else."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import tomllib
import urllib.parse
import urllib.request
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import Any

import pytest

from architecture.house import ROOT
from turnwire_dev.instance.ports import choose
from turnwire_dev.testing import UpUnderTest

pytestmark = pytest.mark.dist

UV = ROOT / ".uv" / "bin" / "uv"
WHEELS = ROOT / "build" / "dist"
PROJECTS = [ROOT / "deploy" / "turnwire", *(path.parent for path in ROOT.glob("*/*/src"))]


def about(project: Path) -> dict[str, Any]:
    """Give what a project says of itself."""
    return tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pythons() -> list[str]:
    """Give the interpreters of this machine that the packages declare."""
    mark = "Programming Language :: Python :: "
    declared = [each.removeprefix(mark) for each in about(PROJECTS[0])["classifiers"]]
    return [name for version in declared if runs(name := f"python{version}")]


def runs(python: str) -> bool:
    """Tell whether there is such an interpreter; a name may stand for none (pyenv)."""
    call = (shutil.which(python) or "false", "-c", "")
    return subprocess.run(call, check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module", params=pythons())
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with what `uv tool install turnwire` installs, in the versions of uv.lock."""
    folder = tmp_path_factory.mktemp("installed")
    locked = ("export", "--frozen", "--quiet", "--no-hashes", "--no-emit-workspace", "--all-extras")
    uv(*locked, "--all-packages", "--output-file", str(folder / "locked.txt"))
    uv("venv", "--quiet", "--python", request.param, str(folder / "venv"))
    uv(
        *("pip", "install", "--quiet", "--python", str(folder / "venv")),
        # By their paths: uv keeps what it was once given of a name and a version.
        *("--constraints", str(folder / "locked.txt"), *map(str, WHEELS.glob("*.whl"))),
    )
    return folder / "venv"


async def test_it_runs_and_answers_on_a_machine_that_has_only_python(
    installed: Path, tmp_path: Path
) -> None:
    settings = {
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "TURNWIRE_DATA_DIR": str(tmp_path / "data"),
        "TURNWIRE_PORT": str(choose(("gateway",), tmp_path, taken=0)["gateway"]),
    }
    command = (str(installed / "bin" / "turnwire"), "up")
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, env=settings, stdout=PIPE, stderr=STDOUT
    )
    up = UpUnderTest(process, settings)
    try:
        await up.is_up()
        answer = await asyncio.to_thread(ask, f"http://127.0.0.1:{up.port}/v1/responses")
        assert answer["status"] in {"completed", "incomplete"}
        assert answer["output"]
        assert await asyncio.to_thread(console, f"http://127.0.0.1:{up.port}/console") > 0
    finally:
        process.send_signal(signal.SIGINT)
        code = await up.ends()
    assert code == 0, up.text


def test_the_command_says_its_version(installed: Path) -> None:
    command = (str(installed / "bin" / "turnwire"), "--version")
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert said == f"turnwire {about(PROJECTS[0])['version']}\n"


def test_all_packages_have_one_version_and_need_each_other_in_it() -> None:
    (version,) = {about(project)["version"] for project in PROJECTS}
    named = [name for project in PROJECTS for name in requirements(project)]
    own = [name for name in named if name.startswith("turnwire-")]
    assert [name for name in own if not name.endswith(f"=={version}")] == []


def test_all_packages_declare_the_same_pythons() -> None:
    assert len({tuple(about(project)["classifiers"]) for project in PROJECTS}) == 1


def test_every_package_is_a_wheel() -> None:
    built = {re.sub("_", "-", path.name.partition("-")[0]) for path in WHEELS.glob("*.whl")}
    assert built == {about(project)["name"] for project in PROJECTS}


def requirements(project: Path) -> list[str]:
    """Give what a project needs, without what it takes from its own extras."""
    said = about(project)
    extras = said.get("optional-dependencies", {})
    needed = [*said.get("dependencies", []), *(each for extra in extras.values() for each in extra)]
    return [each for each in needed if not each.startswith(f"{said['name']}[")]


def ask(url: str) -> dict[str, Any]:
    """Ask the model that comes along."""
    body = {"model": "smollm2", "input": "Say hello.", "max_output_tokens": 16}
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 -- ours
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- as above
        return json.load(answer)


def console(url: str) -> int:
    """Open the console; gives the bytes of the script that its page names."""
    page = read(url).decode()
    (script,) = re.findall(r'<script[^>]* src="([^"]+)"', page)
    return len(read(urllib.parse.urljoin(url, script)))


def read(url: str) -> bytes:
    """Read what stands at an address."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 -- ours
        return answer.read()


def uv(*arguments: str) -> None:
    """Run uv."""
    call = (str(UV), *arguments)
    ran = subprocess.run(call, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
