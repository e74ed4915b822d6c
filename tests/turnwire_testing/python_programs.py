"""Programs in Python that a test runs as they stand, each in a process of its own.

Their processes are forks of one that has loaded what they import: that alone takes most of them a
second or more.
"""

import asyncio
import atexit
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from turnwire_testing.forking import Call


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and what it wrote."""

    exit_code: int
    """Negative: the signal that ended it."""
    printed: str
    errors: str
    """Empty where both were one stream."""


class Programs:
    """Runs programs that import much of the same."""

    def __init__(self, *modules: str) -> None:
        """`modules` are loaded, once, before the first program runs."""
        self._modules = modules

    async def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        within_s: float,
        *,
        in_one: bool = False,
    ) -> Ran:
        """Run `python` with these arguments in a folder, to its end.

        `in_one`: standard error goes where standard output goes. Raises `TimeoutError` after
        `within_s` seconds; the program is killed then.
        """
        address = await asyncio.to_thread(lambda: self._address)
        with TemporaryDirectory() as written:
            printed, errors = Path(written, "printed"), Path(written, "errors")
            call: Call = {
                "arguments": [*arguments],
                "environment": {**environment},
                "folder": str(folder),
                "printed": str(printed),
                "errors": str(printed if in_one else errors),
            }
            exit_code = await _called(address, call, within_s)
            texts = (_text(each) for each in (printed, errors))
            return Ran(exit_code, *texts)

    @cached_property
    def _address(self) -> str:
        folder = TemporaryDirectory()
        address = f"{folder.name}/socket"
        loaded = subprocess.Popen(
            (sys.executable, "-m", "turnwire_testing.forking", address, *self._modules),
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if loaded.stdout is None or not loaded.stdout.readline():
            raise AssertionError(f"{self._modules} could not be loaded")

        def end() -> None:
            with loaded:
                loaded.kill()
            folder.cleanup()

        # Others need it, too.
        atexit.register(end)
        return address


async def _called(address: str, call: Call, within_s: float) -> int:
    reader, writer = await asyncio.open_unix_connection(address)
    with closing(writer):
        writer.write(json.dumps(call).encode() + b"\n")
        async with asyncio.timeout(within_s):
            return int(await reader.readline())


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


OF_CLIENTS = Programs("langchain_openai", "langgraph.graph", "openai", "pydantic_ai.models.openai")
"""Those that use the client libraries of others."""
_TURNWIRE = Programs(
    "turnwire_cli.main",
    "turnwire_dev.cli",
    "turnwire_dev.commands.dead_letters.retry",
    "turnwire_dev.commands.doctor",
    "turnwire_dev.commands.keys",
    "turnwire_dev.commands.replay",
)


async def turnwire(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    within_s: float,
    *,
    in_one: bool = False,
) -> Ran:
    """Run a command of `turnwire`, as `Programs.run` does."""
    call = ("-m", "turnwire_dev", *arguments)
    return await _TURNWIRE.run(call, environment, folder, within_s, in_one=in_one)
