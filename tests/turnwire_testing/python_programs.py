"""Programs in Python that a test runs as they stand, each in a process of its own.

Their processes are forks of one that has the libraries of clients loaded, which takes seconds.
"""

import asyncio
import os
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

_LIBRARIES = ("langchain_openai", "langgraph.graph", "openai", "pydantic_ai.models.openai")
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([*_LIBRARIES])


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and what it wrote."""

    exit_code: int
    """Negative: the signal that ended it."""
    printed: str
    errors: str


async def run_program(
    program: Path, environment: Mapping[str, str], folder: Path, within_s: float
) -> Ran:
    """Run a program to its end, in a folder. Raises `TimeoutError`; it runs no more then."""
    return await asyncio.to_thread(_run, program, dict(environment), folder, within_s)


def _run(program: Path, environment: dict[str, str], folder: Path, within_s: float) -> Ran:
    written = (folder / f"{program.name}.printed", folder / f"{program.name}.errors")
    process = _FORKS.Process(target=_become, args=(program, environment, folder, *written))
    process.start()
    try:
        process.join(within_s)
        if process.exitcode is None:
            raise TimeoutError(f"{program} did not end in {within_s} s")
        printed, errors = (each.read_text(encoding="utf-8") for each in written)
        return Ran(process.exitcode, printed, errors)
    finally:
        process.kill()
        process.join()
        process.close()


def _become(
    program: Path, environment: dict[str, str], folder: Path, printed: Path, errors: Path
) -> None:
    for stream, path in ((1, printed), (2, errors)):
        written = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, stream)
        os.close(written)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [str(program)]
    sys.path.insert(0, str(program.parent))
    runpy.run_path(str(program), run_name="__main__")
