"""The `turnwire` command as a user runs it, from a machine that sees only the gateway."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend, says

WITHIN = 60.0


@dataclass(frozen=True)
class CommandResult:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document that it printed, with `-o json`."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The objects that it printed, with `-o jsonl`."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Command:
    """Runs `turnwire` against a stack, in a folder of its own."""

    stack: Stack
    folder: Path

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> CommandResult:
        """Run it to its end; `environment`: variables beside the address and the key."""
        process = await self.begin(*arguments, **environment)
        try:
            async with asyncio.timeout(WITHIN):
                out, err = await process.communicate(stdin.encode())
        finally:
            if process.returncode is None:
                process.kill()
        return CommandResult(process.returncode or 0, out.decode(), err.decode())

    async def begin(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """Begin it, and give its process."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "turnwire_cli", *arguments),
            cwd=self.folder,
            env=self._environment(environment),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        path = self.stack.environment["PATH"]
        own = {"PATH": path, "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        told = {"TURNWIRE_URL": self.stack.url, "TURNWIRE_API_KEY": self.stack.key}
        coverage = {
            name: value
            for name, value in self.stack.environment.items()
            if name.startswith("COVERAGE_")
        }
        return {**own, **coverage, **told, **more}


def keys_of(found: Any) -> Any:
    """Give the names of all members, nested; of a list those of its first object."""
    match found:
        case dict():
            members = cast("dict[str, Any]", found)
            return {name: keys_of(value) for name, value in members.items()}
        case [first, *_]:
            return [keys_of(first)]
        case []:
            return []
        case _:
            return ...


async def answered(turnwire: Command, backend: ScriptedBackend, text: str) -> str:
    """Have a question answered with a text; gives the id of the response."""
    backend.script(says(text))
    ran = await turnwire("ask", "Hi.", "-m", "mock-model", "-o", "json")
    return ran.json["id"]


@pytest.fixture
def turnwire(stack: Stack, tmp_path: Path) -> Command:
    """The command on `stack`."""
    return Command(stack, tmp_path)
