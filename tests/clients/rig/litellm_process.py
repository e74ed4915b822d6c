"""LiteLLM in an environment of its own: one process for all scenarios; its import is slow."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

from clients.rig.programs import ROOT, require_installed, told_of
from e2e.rig.stack import Stack

_PYTHON = ROOT / ".venv-litellm" / "bin" / "python"
_PROGRAM = Path(__file__).parents[1] / "litellm" / "program.py"


class LiteLLM:
    """The running program; `play` has it do one scenario."""

    def __init__(self, stack: Stack) -> None:
        """Start it; `stack` is running."""
        require_installed(_PYTHON)
        self._process = subprocess.Popen(
            (str(_PYTHON), str(_PROGRAM)),
            env=told_of(stack),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def play(self, scenario: str) -> Any:
        """Play a scenario; gives what it tells."""
        told = json.loads(await asyncio.to_thread(self._ask, scenario))
        assert "told" in told, told["failed"]
        return told["told"]

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.communicate()

    def _ask(self, scenario: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("the program was started without pipes")
        stdin.write(f"{scenario}\n")
        stdin.flush()
        return stdout.readline()
