"""A broker that a test may kill and start again on the same data and port."""

import asyncio
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from turnwire_dev.claims.ports import LOOPBACK, choose
from turnwire_dev.parts.installed import nats_server
from turnwire_testing.waiting import eventually


class KillableBroker:
    """One nats-server process at a time."""

    def __init__(self, data_dir: Path) -> None:
        """Take a port; nothing runs yet."""
        self._data_dir = data_dir
        self._port = choose(("nats",), data_dir, taken=0)["nats"]
        self._process: Process | None = None
        self.url = f"nats://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Start it; returns when it listens."""
        address = ("-a", LOOPBACK, "-p", str(self._port))
        self._process = await asyncio.create_subprocess_exec(
            *(str(nats_server()), *address, "-js", "-sd", str(self._data_dir)),
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        await eventually(self._listens)

    async def kill(self) -> None:
        """End it without a warning."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True
