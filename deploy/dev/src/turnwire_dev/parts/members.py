"""The five services: the same processes as in a cluster, told by variables where everything is."""

import sys
from collections.abc import Mapping

from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.ports import LOOPBACK, http_url
from turnwire_dev.supervision.probe import answers_200, answers_http
from turnwire_dev.supervision.process import ChildSpec, Layer

GATEWAY = "gateway"
ORCHESTRATOR = "orchestrator"
GUARD = "guard"
STORE = "store"
TOOL_RUNNER = "tool-runner"
MODULES: Mapping[str, str] = {
    GATEWAY: "turnwire_gateway",
    ORCHESTRATOR: "turnwire_orchestrator",
    TOOL_RUNNER: "turnwire_tool_runner",
    GUARD: "turnwire_guard",
    STORE: "turnwire_store",
}


def service_child(
    name: str, folder: DataFolder, environment: Mapping[str, str], health_port: int
) -> ChildSpec:
    """How to start a service behind the gateway; ready when its health check says so."""
    health = f"http://{LOOPBACK}:{health_port}/healthz"
    return ChildSpec(
        name=name,
        argv=(sys.executable, "-m", MODULES[name]),
        environment={**environment, "TURNWIRE_HEALTH_PORT": str(health_port)},
        is_ready=answers_200(health),
        log=folder.log(name),
        layer=Layer.SERVICE,
        port=health_port,
        health=health,
        metrics=_metrics(environment, health_port),
    )


def gateway_child(
    folder: DataFolder, environment: Mapping[str, str], address: tuple[str, int], health_port: int
) -> ChildSpec:
    """How to start the gateway; ready when it answers: its health is that of the whole system."""
    host, port = address
    health = f"{http_url(host, port)}/health"
    own = {
        "TURNWIRE_HOST": host,
        "TURNWIRE_PORT": str(port),
        "TURNWIRE_HEALTH_PORT": str(health_port),
    }
    return ChildSpec(
        name=GATEWAY,
        argv=(sys.executable, "-m", MODULES[GATEWAY]),
        environment={**environment, **own},
        is_ready=answers_http(health),
        log=folder.log(GATEWAY),
        layer=Layer.SERVICE,
        port=port,
        health=health,
        metrics=_metrics(environment, health_port),
    )


def _metrics(environment: Mapping[str, str], health_port: int) -> str:
    """Give the address of a service's metrics, empty where it has none."""
    off = environment.get("TURNWIRE_METRICS", "").lower() in {"false", "0", "no", "off", "n", "f"}
    return "" if off else f"http://{LOOPBACK}:{health_port}/metrics"
