"""Turnwire with a network of its own between every two processes, which a test may break."""

import os
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from chaos.faults.replica_set import ReplicaSet, replica_set
from chaos.faults.servers import DocumentServer, Server, broker
from chaos.rig.answering import answer_to
from chaos.rig.guard_policy import POLICY
from e2e.rig.desk import Desk, running_desk
from scripted_backend import ScriptedBackend, running_backend
from turnwire_dev.components.mongo import mongodb_url
from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.ports import LOOPBACK
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_testing.ports import free_port
from turnwire_testing.service_processes import ServiceProcess, start_module
from turnwire_testing.tcp_proxy import Proxy, proxy_to
from turnwire_testing.waiting import eventually

_READY_WITHIN_S = 90.0
_STOP_WITHIN_S = 5.0

SERVICES = ("gateway", "orchestrator", "store", "guard", "tool-runner")


@dataclass
class Service:
    """One process of a service, and its own way to the broker."""

    name: str
    process: ServiceProcess
    port: int
    broker: Proxy
    environment: Mapping[str, str]
    health_port: int

    @property
    def url(self) -> str:
        """The API, of a gateway."""
        return f"http://{LOOPBACK}:{self.port}/v1"

    async def restart(self, **variables: str) -> None:
        """Send SIGTERM, and start it again on its ports, with these variables more.

        It must end with 0. The next restart knows nothing of these variables.
        """
        await self.process.stop()
        environment = {**self.environment, **variables}
        log = self.process.log
        self.process = start_module((_module(self.name),), environment, log, self.health_port)
        await eventually(self.is_well, _READY_WITHIN_S)

    def freeze(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self.process.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.process.send_signal(signal.SIGCONT)

    async def is_well(self) -> bool:
        """Whether its health says that nothing is wrong with it."""
        if self.process.has_ended:
            raise AssertionError(f"{self.name} has ended:\n{self.process.log.read_text()[-3000:]}")
        try:
            answer = await get(self.process.health_url, within=5.0)
        except NoAnswerError:
            return False
        return not orjson.loads(answer.body)["problems"]


@dataclass
class System:
    """All that runs; `links` are the networks by the names of the two ends."""

    folder: Path
    broker: Server
    documents: DocumentServer
    desk: Desk
    backend: ScriptedBackend
    replicas: ReplicaSet
    """The document server as the store sees it in a system that asks for a replica set."""
    settings: Mapping[str, str]
    links: dict[str, Proxy] = field(default_factory=dict[str, Proxy])
    services: list[Service] = field(default_factory=list[Service])
    older: str = "HEAD^"
    """The revision from which is upgraded: a commit, a tag."""

    def service(self, name: str) -> Service:
        """The first process of a service."""
        return next(each for each in self.services if each.name == name)

    def all_of(self, *names: str) -> list[Service]:
        """The processes of these services, in this order."""
        return [each for name in names for each in self.services if each.name == name]

    @property
    def urls(self) -> list[str]:
        """The base URL of each gateway."""
        return [each.url for each in self.services if each.name == "gateway"]

    @property
    def broker_url(self) -> str:
        """The broker, past all proxies."""
        return f"nats://{LOOPBACK}:{self.broker.port}"

    async def until_well(self, within_s: float = _READY_WITHIN_S) -> None:
        """Wait until every service says that it is well, and the gateway that the whole is."""
        for service in self.services:
            await eventually(service.is_well, within_s)
        await eventually(lambda: _is_well(self.urls[0]), within_s)

    @property
    def ended(self) -> list[str]:
        """The services that have ended on their own."""
        return [each.name for each in self.services if each.process.has_ended]

    def pids(self) -> dict[str, int]:
        """Every process by a name of its own."""
        own = {f"{each.name}-{each.port}": each.process.process.pid for each in self.services}
        return {"broker": self.broker.pid, "document server": self.documents.pid, **own}

    def environment(self, way: Proxy) -> dict[str, str]:
        """What one more service is told, whose way to the broker is `way`."""
        return {
            **without_settings(os.environ),
            **self.settings,
            "TURNWIRE_NATS_URL": f"nats://{LOOPBACK}:{way.port}",
        }


@asynccontextmanager
async def running_system(
    folder: Path,
    services: Sequence[str] = SERVICES,
    *,
    with_replicas: bool = False,
    **settings: str,
) -> AsyncGenerator[System]:
    """Run all of it on fresh data in `folder`; `settings` are those of Turnwire in lower case."""
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "desk").mkdir()
    async with AsyncExitStack() as running:
        backend = await running.enter_async_context(running_backend())
        backend.answers_by(answer_to)
        nats = broker(folder / "broker")
        running.callback(nats.kill)
        await nats.start()
        documents = DocumentServer(folder / "documents")
        running.callback(documents.kill)
        await documents.start()
        desk = running.enter_context(running_desk(folder / "desk", free_port()))
        way_to_documents = await running.enter_async_context(proxy_to(documents.port))
        way_to_backend = await running.enter_async_context(proxy_to(_port(backend.url)))
        way_to_desk = await running.enter_async_context(proxy_to(desk.port))
        # Requests name it as the tool-runner is to reach it.
        desk.url = f"http://{LOOPBACK}:{way_to_desk.port}/mcp"
        replicas = await running.enter_async_context(replica_set(way_to_documents.port))
        alone = mongodb_url(way_to_documents.port)
        told = {
            "TURNWIRE_MONGODB_URL": replicas.url if with_replicas else alone,
            "TURNWIRE_BACKEND_URL": f"http://{LOOPBACK}:{way_to_backend.port}/v1",
            "TURNWIRE_ALLOW_PRIVATE_URLS": "loopback",
            "TURNWIRE_GUARD_POLICY": str(folder / "policy.yaml"),
            "TURNWIRE_TURN_LEASE_S": "2",
            # Every chain is read from the store, so that there is something to lose.
            "TURNWIRE_HISTORY_CACHE_BYTES": "0",
            **{f"TURNWIRE_{name.upper()}": value for name, value in settings.items()},
        }
        links = {
            "store-documents": way_to_documents,
            "orchestrator-backend": way_to_backend,
            "tool-runner-desk": way_to_desk,
        }
        system = System(folder, nats, documents, desk, backend, replicas, told, links)
        for number, name in enumerate(services):
            started = await start_service(running, system, name, f"{name}-{number}")
            links.setdefault(f"{name}-broker", started.broker)
        await system.until_well()
        yield system


async def start_service(
    running: AsyncExitStack, system: System, name: str, label: str, **variables: str
) -> Service:
    """Start one more process of a service with a way of its own to the broker."""
    way = await running.enter_async_context(proxy_to(system.broker.port))
    port, health_port = free_port(), free_port()
    environment = {
        **system.environment(way),
        "TURNWIRE_PORT": str(port),
        "TURNWIRE_HEALTH_PORT": str(health_port),
        **variables,
    }
    log = system.folder / f"{label}.log"
    process = start_module((_module(name),), environment, log, health_port)
    service = Service(name, process, port, way, environment, health_port)
    running.push_async_callback(_end, service)
    system.services.append(service)
    return service


async def _end(service: Service) -> None:
    # One that is frozen hears nothing.
    if not service.process.has_ended:
        service.thaw()
        await service.process.finish(_STOP_WITHIN_S)


def _module(name: str) -> str:
    return f"turnwire_{name.replace('-', '_')}"


def _port(url: str) -> int:
    return int(url.split(":")[2].split("/", maxsplit=1)[0])


async def _is_well(url: str) -> bool:
    try:
        return (await get(url.removesuffix("v1") + "health", within=5.0)).status == 200
    except NoAnswerError:
        return False
