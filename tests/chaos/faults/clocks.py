"""Wall clocks that jump: a library in front of libc shifts the time of one process."""

import asyncio
import shutil
import struct
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from chaos.faults.system import System
from chaos.faults.trial import Fault

_SOURCE: Final = Path(__file__).with_name("wall_clock.c")
_HOUR_S: Final = 3600
_JUMPS: Final = (_HOUR_S, 0, -_HOUR_S, _HOUR_S, -_HOUR_S)
_EVERY_S: Final = 1.5


def no_compiler(_: System) -> str:
    """Say why no clock can be shifted; empty when one can."""
    return "" if shutil.which("cc") else "there is no C compiler (cc) for the clock that jumps"


def clock_jumps(name: str) -> Fault:
    """Let the wall clock of the first process of a service jump by an hour, there and back."""

    @asynccontextmanager
    async def fault(system: System) -> AsyncGenerator[None]:
        library = await asyncio.to_thread(_compiled, system.folder)
        offset = system.folder / f"clock-of-{name}"
        _shift(offset, 0)
        service = system.service(name)
        await service.restart(LD_PRELOAD=str(library), WALL_CLOCK_OFFSET=str(offset))
        jumping = asyncio.create_task(_jump(offset))
        try:
            yield
        finally:
            jumping.cancel()
            # Right again, without a restart that could hide what the jumps left behind.
            _shift(offset, 0)

    return fault


async def _jump(offset: Path) -> None:
    while True:
        for seconds in _JUMPS:
            _shift(offset, seconds)
            await asyncio.sleep(_EVERY_S)


def _shift(offset: Path, seconds: int) -> None:
    """Write in place: the file is mapped."""
    offset.touch()
    with offset.open("r+b") as file:
        file.write(struct.pack("=q", seconds))


def _compiled(folder: Path) -> Path:
    library = folder / "wall_clock.so"
    if not library.exists():
        subprocess.run(
            ("cc", "-shared", "-fPIC", "-O2", "-o", library, _SOURCE, "-ldl"), check=True
        )
    return library
