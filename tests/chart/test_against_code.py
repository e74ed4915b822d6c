"""The chart against the code: settings, probes, ports, streams and consumers, files, metrics."""

import asyncio
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from architecture.house import modules
from chart.faults import one
from chart.rendering import CHART, PROFILES, Manifest, pods, profile, render
from turnwire_chassis.lifecycle import health_server
from turnwire_chassis.tool_servers.registry import parse_tool_servers
from turnwire_contracts.queues import QUEUES
from turnwire_dev.components.members import MODULES
from turnwire_dev.components.nats import nats_child
from turnwire_dev.components.nats_security import OPEN
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.supervisor import running
from turnwire_gateway.api.requests.prompts import parse_prompts
from turnwire_gateway.limits.allowances import parse_allowances
from turnwire_guard.policy import parse_policy
from turnwire_orchestrator.servers import parse_servers
from turnwire_testing.waiting import eventually

pytestmark = pytest.mark.chart

SETTINGS: dict[str, list[str]] = yaml.safe_load((CHART / "files" / "settings.yaml").read_text())
HTTP_PORT, OPS_PORT = 8080, 8081

# A metric as we name them, in an alert's expression or on a panel.
METRIC = re.compile(r"\b(?:turnwire|gen_ai|mcp)_[a-z0-9_]+\b")


def _services(name: str) -> dict[str, Manifest]:
    """Give the container of each service of a profile."""
    found = {each["metadata"]["name"]: pod for each, pod in pods(render(profile(name)))}
    boxes = [pod["spec"]["containers"][0] for pod in found.values()]
    return {box["name"]: box for box in boxes if box["name"] in MODULES}


@pytest.mark.parametrize("name", PROFILES)
def test_a_service_is_told_settings_that_it_reads_and_no_others(name: str) -> None:
    for service, box in _services(name).items():
        told = {each["name"] for each in box["env"] if each["name"].startswith("TURNWIRE_")}
        assert told - {*SETTINGS[service]} == set(), service


@pytest.mark.parametrize("name", PROFILES)
def test_a_service_runs_its_module_and_is_asked_where_it_answers(name: str) -> None:
    for service, box in _services(name).items():
        assert box["command"] == ["python", "-m", MODULES[service]]
        variables = {each["name"]: each.get("value") for each in box["env"]}
        ports = {port["name"]: port["containerPort"] for port in box["ports"]}
        assert variables["TURNWIRE_HEALTH_PORT"] == str(ports["ops"]) == str(OPS_PORT)
        if service == "gateway":
            assert variables["TURNWIRE_PORT"] == str(ports["http"]) == str(HTTP_PORT)
        paths = {kind: box[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")}
        assert paths == {
            "liveness": health_server.LIVE_PATH,
            "readiness": health_server.READY_PATH,
        }


PARSERS: dict[str, Callable[[str, str], Any]] = {
    "backends.yaml": lambda text, file: parse_servers(text, file, {"OPENAI_API_KEY": "k"}),
    "guard-policy.yaml": parse_policy,
    "mcp-servers.yaml": parse_tool_servers,
    "prompts.yaml": parse_prompts,
    "limits.yaml": parse_allowances,
}


def test_the_files_of_a_profile_are_what_the_services_read() -> None:
    files = one(render(profile("ha")), "ConfigMap", "-files")
    assert files["data"].keys() == PARSERS.keys()
    for name, text in files["data"].items():
        PARSERS[name](text, name)


async def test_keda_looks_at_consumers_that_the_services_make(
    started: tuple[str, dict[str, str]],
) -> None:
    monitor, _ = started
    scaled = [each for each in render(profile("ha")) if each["kind"] == "ScaledObject"]
    lags = [
        one["metadata"]
        for each in scaled
        for one in each["spec"]["triggers"]
        if one["type"] == "nats-jetstream"
    ]

    async def all_there() -> bool:
        told = await asyncio.to_thread(_get, f"{monitor}/jsz?consumers=true&config=true&acc=$G")
        listed = json.loads(told[1]).get("account_details", [])
        made = {
            (account["name"], stream["name"], consumer["name"])
            for account in listed
            for stream in account.get("stream_detail", [])
            for consumer in stream.get("consumer_detail", [])
        }
        return {(one["account"], one["stream"], one["consumer"]) for one in lags} <= made

    assert {one["consumer"] for one in lags} == {queue.consumer for queue in QUEUES}
    await eventually(all_there)


async def test_the_services_answer_where_they_are_probed(
    started: tuple[str, dict[str, str]],
) -> None:
    for service, box in _services("minimal").items():
        if (ops := started[1].get(service)) is None:
            continue
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = box[kind]["httpGet"]["path"]

            async def is_well(url: str = ops + path) -> bool:
                return (await asyncio.to_thread(_get, url))[0] == 200

            await eventually(is_well)


def test_every_metric_of_an_alert_or_a_panel_is_in_the_code() -> None:
    files = [*(CHART / "files").glob("alerts/*.yaml"), *(CHART / "files").glob("dashboards/*.json")]
    named = {each for file in files for each in METRIC.findall(file.read_text(encoding="utf-8"))}
    code = "\n".join(module.text for module in modules() if module.ships)
    assert {name for name in named if _base(name) not in code} == set()


def _base(metric: str) -> str:
    """Give the name that stands in the code: without what a histogram or a counter adds."""
    return re.sub(r"_(bucket|sum|count|total|created)$", "", metric)


@pytest.fixture(name="started")
async def running_services(tmp_path: Path) -> AsyncGenerator[tuple[str, dict[str, str]]]:
    """A real broker and the services that need nothing else; gives where each can be asked."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    without = {"gateway", "orchestrator", "guard", "tool-runner"}
    ports = choose(("nats", "monitor", "http", *without), tmp_path, taken=0)
    broker = nats_child(folder, ports["nats"], ports["monitor"], OPEN)
    async with running(broker):
        processes = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", MODULES[service]),
                env={
                    **os.environ,
                    "TURNWIRE_NATS_URL": f"nats://{LOOPBACK}:{ports['nats']}",
                    "TURNWIRE_PORT": str(ports["http"]),
                    "TURNWIRE_HEALTH_PORT": str(ports[service]),
                    "TURNWIRE_LOG_LEVEL": "error",
                },
            )
            for service in without
        ]
        try:
            asked = {service: f"http://{LOOPBACK}:{ports[service]}" for service in without}
            yield f"http://{LOOPBACK}:{ports['monitor']}", asked
        finally:
            for process in processes:
                process.terminate()
            await asyncio.gather(*(process.wait() for process in processes))


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""
    except OSError:
        return 0, b""
