"""Broker and document server as processes that a test starts, kills, freezes and thaws."""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from turnwire_dev.components.mongo import mongo_child
from turnwire_dev.components.nats import nats_child
from turnwire_dev.components.nats_security import OPEN
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.supervision.probe import accepts_tcp
from turnwire_dev.supervision.process import ChildSpec
from turnwire_testing.ports import free_port
from turnwire_testing.waiting import eventually


class Server:
    """One program on its data and port, however often it is started."""

    def __init__(self, spec: ChildSpec) -> None:
        """Nothing runs yet."""
        self._spec = replace(spec, is_ready=accepts_tcp("127.0.0.1", spec.port or 0))
        self.port = spec.port or 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process that runs."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it; returns when it listens."""
        environment: Mapping[str, str] = self._spec.environment
        with self._spec.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220 -- it does not wait
                self._spec.argv, env=environment, stdout=log, stderr=log
            )
        await eventually(self._spec.is_ready)

    def kill(self) -> None:
        """End it without a warning."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """Stop it where it is (SIGSTOP): its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


def broker(folder: Path) -> Server:
    """The broker as `turnwire up` configures it, without users."""
    data = DataFolder(folder)
    data.prepare()
    return Server(nats_child(data, free_port(), free_port(), OPEN))


class DocumentServer(Server):
    """The document server, whose data can be taken away."""

    def __init__(self, folder: Path) -> None:
        """Keep its data in `folder`."""
        data = DataFolder(folder)
        data.prepare()
        super().__init__(mongo_child(data, free_port()))
        self._data = data.mongo

    def wipe(self) -> None:
        """Remove all its data; it must not run."""
        shutil.rmtree(self._data)
        self._data.mkdir()
