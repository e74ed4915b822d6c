"""The image: linted, as small as it should be, and its services run under the chart's context."""

import asyncio
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import yaml

from architecture.house import ROOT
from chart.rendering import CHART, Manifest, pods, profile, render
from scripted_backend import running_backend, says
from turnwire_chassis.broker_access.nkey import public_key
from turnwire_dev.components.members import MODULES
from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import answers_200
from turnwire_testing.containers import has_image
from turnwire_testing.waiting import eventually

pytestmark = pytest.mark.chart

DOCKERFILE = ROOT / "deploy" / "images" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose"
BASE = (
    os.environ.get("TURNWIRE_TEST_PYTHON_IMAGE")
    or re.findall(
        r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE
    )[0]
)
IMAGE = "localhost/turnwire:test"
MOST_BYTES = 150_000_000
BUILD_WITHIN_S = 900
UP_WITHIN_S = 60.0

# What the old and the plain builders have not, beside what needs a registry of others.
BEYOND_PLAIN = re.compile(
    r"^# *syntax=|<<-?['\"]?[A-Z]|--link|--mount|ghcr\.io/astral", re.MULTILINE
)


def test_the_dockerfile_is_linted() -> None:
    linted = subprocess.run(
        (Path(sys.executable).parent / "hadolint", DOCKERFILE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_dockerfile_needs_only_what_plain_builders_have() -> None:
    assert BEYOND_PLAIN.findall(DOCKERFILE.read_text(encoding="utf-8")) == []


def test_the_image_is_made_from_the_lock_file_with_the_uv_of_the_makefile() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    installs = [line for line in text.splitlines() if "uv sync" in line]
    assert installs
    assert all("--frozen --no-dev" in line for line in installs)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"UV_VERSION=(\S+)", text) == re.findall(r"UV_VERSION := (\S+)", makefile)
    copied = {line.split()[1] for line in text.splitlines() if line.startswith("COPY ")}
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]
    folders = [path for each in workspace["workspace"]["members"] for path in ROOT.glob(each)]
    members = {f"{path.relative_to(ROOT).as_posix()}/pyproject.toml" for path in folders}
    assert members <= copied


async def test_a_turn_goes_through_containers_under_the_security_context_of_the_chart(
    tmp_path: Path,
) -> None:
    if shutil.which("docker") is None or not has_image(BASE):
        pytest.skip(f"no container engine answers here, or it has no image {BASE}")
    await asyncio.to_thread(_build)
    ports = choose(("http", "backend", *MODULES), tmp_path, taken=0)
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(running_nats(tmp_path / "nats"))
        mongo = await stack.enter_async_context(running_mongo(tmp_path / "mongo"))
        backend = await stack.enter_async_context(running_backend(port=ports["backend"]))
        backend.script(says("Hello."))
        told = {
            "TURNWIRE_NATS_URL": nats,
            "TURNWIRE_MONGODB_URL": mongo,
            "TURNWIRE_BACKEND_URL": f"http://{LOOPBACK}:{ports['backend']}/v1",
            "TURNWIRE_PORT": str(ports["http"]),
        }
        for name, box in _containers().items():
            own = {**told, "TURNWIRE_HEALTH_PORT": str(ports[name])}
            await stack.enter_async_context(_running(name, box, own))
            ready = f"http://{LOOPBACK}:{ports[name]}{box['readinessProbe']['httpGet']['path']}"
            await eventually(answers_200(ready), UP_WITHIN_S)
        smoke = await asyncio.create_subprocess_exec(
            *(sys.executable, CHART / "files" / "smoke.py"),
            env={"SMOKE_URL": f"http://{LOOPBACK}:{ports['http']}/v1", "SMOKE_MODEL": "m"},
        )
        assert await smoke.wait() == 0


def _build() -> None:
    command = ("docker", "build", "--file", DOCKERFILE, "--build-arg", f"PYTHON_IMAGE={BASE}")
    built = subprocess.run(
        (*command, "--tag", IMAGE, ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_WITHIN_S,
    )
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    saved = f"docker save {IMAGE} | gzip -6 | wc -c"
    size = subprocess.run(saved, shell=True, capture_output=True, check=True)  # noqa: S602
    assert int(size.stdout) < MOST_BYTES


def _containers() -> dict[str, Manifest]:
    boxes = [pod["spec"]["containers"][0] for _, pod in pods(render(profile("minimal")))]
    return {box["name"]: box for box in boxes}


@asynccontextmanager
async def _running(name: str, box: Manifest, told: dict[str, str]) -> AsyncGenerator[None]:
    """Run a service from the image as its pod would, on this machine's network."""
    context = box["securityContext"]
    assert context["readOnlyRootFilesystem"]
    assert not context["allowPrivilegeEscalation"]
    assert context["capabilities"]["drop"] == ["ALL"]
    limits = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    options = (*limits, "--user=10001:10001", "--tmpfs=/tmp:size=64m", "--network=host")
    variables = [f"--env={key}={value}" for key, value in told.items()]
    container = f"turnwire-test-{os.getpid()}-{name}"
    command = ("docker", "run", "--rm", "--name", container, *options, *variables, IMAGE)
    process = await asyncio.create_subprocess_exec(*command, *box["command"])
    try:
        yield
    finally:
        stop = await asyncio.create_subprocess_exec("docker", "stop", "--time=10", container)
        await stop.wait()
        await process.wait()


def _compose() -> dict[str, Manifest]:
    file = (COMPOSE / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(file)["services"]


SETTINGS: dict[str, list[str]] = yaml.safe_load((CHART / "files" / "settings.yaml").read_text())


def test_compose_tells_each_service_settings_that_it_reads() -> None:
    for service, names in SETTINGS.items():
        about = _compose()[service]
        assert about["command"] == ["python", "-m", MODULES[service]]
        assert about["environment"].keys() - {*names} == set()
        assert f"/seeds/{service}.seed:" in about["volumes"][0]
        assert (about["read_only"], about["cap_drop"]) == (True, ["ALL"])


def test_compose_pins_the_images_of_others_as_the_chart_does() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    compose = _compose()
    assert compose["nats"]["image"] == values["dev"]["nats"]["image"]
    assert compose["mongodb"]["image"] == values["dev"]["mongodb"]["image"]


def test_prometheus_scrapes_every_service_of_compose_where_it_answers() -> None:
    compose = _compose()
    file = ROOT / "deploy" / "observability" / "prometheus.yml"
    [job] = yaml.safe_load(file.read_text(encoding="utf-8"))["scrape_configs"]
    [scraped] = job["dns_sd_configs"]
    assert {*scraped["names"]} == {*SETTINGS}
    for service in SETTINGS:
        told = compose[service]["environment"]
        assert (told["TURNWIRE_HEALTH_HOST"], told["TURNWIRE_HEALTH_PORT"]) == (
            "0.0.0.0",  # nosec B104 -- inside a container
            str(scraped["port"]),
        )


def test_compose_brings_what_prometheus_and_grafana_are_told() -> None:
    compose = _compose()
    for name in ("prometheus", "grafana"):
        mounted = [volume.split(":") for volume in compose[name]["volumes"]]
        files = [COMPOSE / source for source, *_ in mounted if source.startswith(".")]
        assert files
        assert all(file.exists() for file in files)
        assert compose[name]["profiles"] == ["observability"]
    assert all(port.startswith("127.0.0.1:") for port in compose["grafana"]["ports"])
    assert "ports" not in compose["prometheus"]


def test_the_secrets_of_compose_are_made_once_and_each_goes_to_who_needs_it(
    tmp_path: Path,
) -> None:
    def made() -> dict[str, str]:
        environment = {**os.environ, "SECRETS": str(tmp_path)}
        subprocess.run((sys.executable, COMPOSE / "make_secrets.py"), env=environment, check=True)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {path.relative_to(tmp_path).as_posix(): path.read_text() for path in files}

    first = made()
    assert made() == first
    for service, names in SETTINGS.items():
        wanted = {f"TURNWIRE_{each}" for each in ("KEY_PEPPER", "SEAL_KEY", "VIEW_KEY")}
        told = {line.partition("=")[0] for line in first.get(f"{service}.env", "").splitlines()}
        assert told == wanted & {*names}
        seed = tmp_path / "seeds" / f"{service}.seed"
        assert stat.S_IMODE(seed.stat().st_mode) == 0o400
        assert public_key(seed.read_text()) in first["authorization.conf"]
    assert {*_env_files(_compose())} <= {f"./secrets/{name}" for name in first}


def _env_files(services: dict[str, Manifest]) -> Iterator[str]:
    yield from (about["env_file"] for about in services.values() if "env_file" in about)
