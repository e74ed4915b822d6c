"""Brokers that a test may kill and start again on the same data and ports: one, or a cluster."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from pathlib import Path

from turnwire_dev.components.installed import nats_server
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_testing.waiting import eventually

_MEMBERS = 3


class KillableBroker:
    """One nats-server process at a time."""

    def __init__(
        self, data_dir: Path, port: int | None = None, arguments: Sequence[str] = ()
    ) -> None:
        """Take `port`, or a free one; nothing runs yet. `arguments`: more for the program."""
        self._data_dir = data_dir
        self.port = port or choose(("nats",), data_dir, taken=0)["nats"]
        self._arguments = arguments
        self._process: Process | None = None
        self.url = f"nats://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Start it; returns when it listens."""
        address = ("-a", LOOPBACK, "-p", str(self.port))
        self._process = await asyncio.create_subprocess_exec(
            *(str(nats_server()), *address, "-js", "-sd", str(self._data_dir), *self._arguments),
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        await eventually(self._listens)

    async def kill(self) -> None:
        """End it without a warning."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def leave(self) -> None:
        """Let it go as a rolling upgrade does: it hands over, sends its clients away, and ends."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR2)
            await self._process.wait()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True


class BrokerCluster:
    """Three nats-servers that are one broker."""

    def __init__(self, data_dir: Path, arguments: Sequence[str] = ()) -> None:
        """Take the ports; nothing runs yet. `arguments`: more for each program."""
        names = [f"nats-{number}" for number in range(_MEMBERS)]
        ports = choose([*names, *(f"{name}-route" for name in names)], data_dir, taken=0)
        routes = [f"nats://{LOOPBACK}:{ports[f'{name}-route']}" for name in names]
        self.members = {
            name: KillableBroker(
                data_dir / name,
                ports[name],
                (
                    *("-n", name, "-cluster_name", "test", "-cluster", route),
                    *("-routes", ",".join(routes), *arguments),
                ),
            )
            for name, route in zip(names, routes, strict=True)
        }
        """By the names that the servers know themselves by."""
        self.url = ",".join(member.url for member in self.members.values())

    async def start(self) -> None:
        """Start all; returns when each listens, which is before they have found each other."""
        await asyncio.gather(*(member.start() for member in self.members.values()))

    async def kill(self) -> None:
        """End all without a warning."""
        await asyncio.gather(*(member.kill() for member in self.members.values()))
