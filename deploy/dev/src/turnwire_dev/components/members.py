"""The five services: the same processes as in a cluster, told by variables where everything is."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.ports import LOOPBACK, http_url
from turnwire_dev.supervision.probe import answers_200, answers_http
from turnwire_dev.supervision.process import ChildSpec, StopOrder

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


@dataclass(frozen=True, slots=True)
class Member:
    """One process of a service: what it is called, and the port of its health check."""

    service: str
    name: str
    health_port: int


def service_child(member: Member, folder: DataFolder, environment: Mapping[str, str]) -> ChildSpec:
    """How to start a service behind the gateway; ready when its health check says so."""
    health = _health(member)
    return ChildSpec(
        name=member.name,
        argv=(sys.executable, "-m", MODULES[member.service]),
        environment={**environment, "TURNWIRE_HEALTH_PORT": str(member.health_port)},
        is_ready=answers_200(health),
        log=folder.log(member.name),
        stop_order=StopOrder.SERVICE,
        port=member.health_port,
        health=health,
        metrics=_metrics(environment, member.health_port),
    )


def gateway_child(
    member: Member,
    folder: DataFolder,
    environment: Mapping[str, str],
    address: tuple[str, int],
    *,
    shared: bool,
) -> ChildSpec:
    """How to start a gateway; `shared`: several listen at the address.

    Alone, it is ready when it answers there: its health is that of the whole system. At a shared
    address any of them may answer, so each is asked at its own health check.
    """
    host, port = address
    own = {
        "TURNWIRE_HOST": host,
        "TURNWIRE_PORT": str(port),
        **({"TURNWIRE_REUSE_PORT": "true"} if shared else {}),
    }
    spec = service_child(member, folder, {**environment, **own})
    if shared:
        return spec
    health = f"{http_url(host, port)}/health"
    return replace(spec, is_ready=answers_http(health), port=port, health=health)


def _health(member: Member) -> str:
    return f"http://{LOOPBACK}:{member.health_port}/healthz"


def _metrics(environment: Mapping[str, str], health_port: int) -> str:
    """Give the address of a service's metrics, empty where it has none."""
    off = environment.get("TURNWIRE_METRICS", "").lower() in {"false", "0", "no", "off", "n", "f"}
    return "" if off else f"http://{LOOPBACK}:{health_port}/metrics"
