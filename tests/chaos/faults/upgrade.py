"""Upgrades while turns run: each process is replaced by one of another version, one after another.

The older code is taken out of the history of this repository into a folder of its own.
"""

import io
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from chaos.faults.system import System

ORDER: Final = ("store", "guard", "tool-runner", "orchestrator", "gateway")
"""Who answers is upgraded before who asks; `docs/operations.md` says so."""

_ROOT: Final = Path(__file__).parents[3]
_CODE: Final = ("libs", "services")


def no_older_code(system: System) -> str:
    """Say why there is no older code; empty when there is."""
    named = _git("rev-parse", "--verify", "--quiet", f"{system.older}^{{commit}}")
    return "" if named.returncode == 0 else f"there is no revision {system.older} in a git history"


@asynccontextmanager
async def upgraded(system: System) -> AsyncGenerator[None]:
    """Go back to the older code, gateways first; and upgrade again, gateways last."""
    older = _paths_of_older_code(system)
    for service in system.all_of(*reversed(ORDER)):
        await service.restart(PYTHONPATH=older)
    try:
        yield
    finally:
        for service in system.all_of(*ORDER):
            await service.restart()


def _paths_of_older_code(system: System) -> str:
    """Unpack the code of the revision, once; gives the `PYTHONPATH` by which it is found first."""
    commit = _git("rev-parse", f"{system.older}^{{commit}}").stdout.decode().strip()
    folder = system.folder / f"code-{commit}"
    if not folder.exists():
        packed = _git("archive", commit, *_CODE)
        assert packed.returncode == 0, packed.stderr.decode()
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
    return ":".join(str(each) for code in _CODE for each in sorted(folder.glob(f"{code}/*/src")))


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(("git", "-C", str(_ROOT), *arguments), capture_output=True, check=False)
