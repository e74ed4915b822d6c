"""Turnwire on a broker of three nats-servers: two gateways, two orchestrators, a store."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_testing.brokers import BrokerCluster
from turnwire_testing.service_processes import ServiceProcess, start_module
from turnwire_testing.waiting import eventually

_TESTS = Path(__file__).parents[2]
_SERVICES = ("gateway", "gateway", "orchestrator", "orchestrator", "store")
_TOKENS, _DELAY_MS = 30, 40
# As short as nats-server allows.
_LAME_DUCK = "lame_duck_duration: 30s\nlame_duck_grace_period: 1s\n"
# Far off, so that every request is counted and none is refused.
_LIMITS = "limits: { default: { requests_per_minute: 1000000, concurrent_turns: 10000 } }\n"
_READY_WITHIN_S = 90.0
_STOP_WITHIN_S = 10.0


@dataclass(frozen=True)
class Service:
    """One process of a service."""

    name: str
    process: ServiceProcess
    port: int

    async def problems(self) -> Mapping[str, str]:
        """What its health says is wrong; empty when it is well."""
        try:
            answer = await get(self.process.health_url, within=5.0)
        except NoAnswerError as error:
            return {"http": str(error)}
        return orjson.loads(answer.body)["problems"]

    async def is_well(self) -> bool:
        """Whether nothing is wrong with it."""
        if self.process.has_ended:
            raise AssertionError(f"{self.name} has ended:\n{self.process.log.read_text()[-3000:]}")
        return not await self.problems()


@dataclass(frozen=True)
class System:
    """All of it, running."""

    brokers: BrokerCluster
    services: list[Service] = field(default_factory=list[Service])

    @property
    def urls(self) -> list[str]:
        """The base URL of each gateway."""
        return [
            f"http://{LOOPBACK}:{service.port}/v1"
            for service in self.services
            if service.name.startswith("gateway")
        ]

    async def until_well(self, within_s: float = _READY_WITHIN_S) -> None:
        """Wait until every service is well, and a gateway says that the whole is."""
        for service in self.services:
            await eventually(service.is_well, within_s)
        for url in self.urls:
            await eventually(lambda url=url: _is_well(url), within_s)

    def ended(self) -> list[str]:
        """The services that have ended on their own."""
        return [each.name for each in self.services if each.process.has_ended]


@asynccontextmanager
async def running_system(folder: Path, **settings: str) -> AsyncGenerator[System]:
    """Run the system on fresh data in `folder`; `settings` are those of Turnwire in lower case."""
    (folder / "brokers.conf").write_text(_LAME_DUCK)
    (folder / "limits.yaml").write_text(_LIMITS)
    brokers = BrokerCluster(folder / "brokers", ("-c", str(folder / "brokers.conf")))
    async with AsyncExitStack() as running:
        running.push_async_callback(brokers.kill)
        await brokers.start()
        mongodb = await running.enter_async_context(running_mongo(folder / "mongo"))
        told = {
            "TURNWIRE_NATS_URL": brokers.url,
            "TURNWIRE_STREAM_REPLICAS": "3",
            "TURNWIRE_MONGODB_URL": mongodb,
            "TURNWIRE_LIMITS": str(folder / "limits.yaml"),
            "TURNWIRE_BACKEND_URL": await _backend(running, folder),
            **{f"TURNWIRE_{name.upper()}": value for name, value in settings.items()},
        }
        system = System(brokers)
        for number, name in enumerate(_SERVICES):
            system.services.append(await _service(running, folder, (name, number), told))
        await system.until_well()
        yield system


async def _backend(running: AsyncExitStack, folder: Path) -> str:
    port = choose(("backend",), folder, taken=0)["backend"]
    options = ("--tokens", str(_TOKENS), "--delay-ms", str(_DELAY_MS), "--port", str(port))
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    process = start_module(("scripted_backend", *options), environment, folder / "backend.log")
    running.push_async_callback(process.finish, _STOP_WITHIN_S)
    return f"http://{LOOPBACK}:{port}/v1"


async def _service(
    running: AsyncExitStack, folder: Path, who: tuple[str, int], told: Mapping[str, str]
) -> Service:
    name, number = who
    label = f"{name}-{number}"
    ports = choose(("port", "health"), folder / label, taken=0)
    environment = {
        **without_settings(os.environ),
        **told,
        "TURNWIRE_PORT": str(ports["port"]),
        "TURNWIRE_HEALTH_PORT": str(ports["health"]),
    }
    log = folder / f"{label}.log"
    process = start_module((f"turnwire_{name}",), environment, log, ports["health"])
    running.push_async_callback(process.finish, _STOP_WITHIN_S)
    return Service(label, process, ports["port"])


async def _is_well(url: str) -> bool:
    try:
        return (await get(url.removesuffix("v1") + "health", within=5.0)).status == 200
    except NoAnswerError:
        return False
