"""A real MCP server as a process of its own, and what it was asked."""

import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from e2e.rig.wire import JSON
from turnwire_testing.waiting import eventually

_PROGRAM = Path(__file__).parent / "desk_server.py"
UP_WITHIN = 60.0
HAPPENS_WITHIN = 60.0


class Desk:
    """The server's address, its journal, and a hand on what it holds."""

    def __init__(self, folder: Path, port: int) -> None:
        """`folder` is its own; nothing runs yet."""
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}/mcp"
        self._process: subprocess.Popen[bytes] | None = None

    def tool(self, **fields: Any) -> JSON:
        """Declare it in a request; nothing needs approval unless that is said."""
        return {
            "type": "mcp",
            "server_label": "desk",
            "server_url": self.url,
            "require_approval": "never",
            **fields,
        }

    def start(self) -> None:
        """Run it, and wait until it listens."""
        command = (sys.executable, str(_PROGRAM), "--port", str(self.port))
        with (self.folder / "desk.log").open("wb") as log:
            self._process = subprocess.Popen(
                (*command, "--folder", str(self.folder)), stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + UP_WITHIN
        while not self._listens():
            if time.monotonic() > until:
                raise AssertionError((self.folder / "desk.log").read_text())
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Begin a new journal, and hold everything again."""
        for path in (self.folder / "journal.jsonl", *self.folder.glob("let-*")):
            path.unlink(missing_ok=True)

    def let(self, word: str) -> None:
        """Let go of what is held under this word."""
        (self.folder / f"let-{word}").touch()

    @property
    def journal(self) -> list[JSON]:
        """Every fact, oldest first."""
        path = self.folder / "journal.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [orjson.loads(line) for line in lines]

    def asked(self, method: str) -> list[JSON]:
        """The messages of one kind."""
        return [fact for fact in self.journal if fact.get("asked") == method]

    def calls(self, name: str) -> list[JSON]:
        """The arguments of all calls of one tool."""
        told = [fact["params"] for fact in self.asked("tools/call")]
        return [params["arguments"] for params in told if params["name"] == name]

    def did(self, word: str) -> int:
        """How often something was begun under this word."""
        return sum(fact.get("word") == word for fact in self.journal)

    async def began(self, word: str, times: int = 1) -> None:
        """Wait until something was begun so often under this word."""

        async def has_begun() -> bool:
            return self.did(word) >= times

        await eventually(has_begun, HAPPENS_WITHIN)

    async def wrote(self, **fact: Any) -> None:
        """Wait until a fact of this kind is in the journal."""

        async def has_written() -> bool:
            return any(fact.items() <= each.items() for each in self.journal)

        await eventually(has_written, HAPPENS_WITHIN)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running_desk(folder: Path, port: int) -> Generator[Desk]:
    """Run a desk."""
    desk = Desk(folder, port)
    try:
        desk.start()
        yield desk
    finally:
        desk.stop()
