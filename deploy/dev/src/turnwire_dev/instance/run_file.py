"""`run.json`: which process is which, for people, `doctor` and tests; there while Turnwire runs."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from turnwire_dev.supervision.process import ChildSpec
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildGivenUp,
    ChildStarted,
    ChildWaitsForRoom,
    Report,
)


class ChildEntry(BaseModel):
    """One child. `pid` is null between two lives.

    `health` and `metrics` are addresses to ask, or empty.
    """

    model_config = ConfigDict(frozen=True)

    pid: int | None
    port: int
    health: str
    metrics: str = ""
    log: Path


class Run(BaseModel):
    """One run of the whole system. URLs may hold credentials: the file is its owner's only."""

    model_config = ConfigDict(frozen=True)

    runner: int
    started_at: datetime
    url: str
    nats_url: str
    mongodb_url: str
    backend_url: str
    version: str = ""
    """Of Turnwire; an older one did not say it."""
    children: dict[str, ChildEntry] = {}


class RunFile:
    """Writes the run of one runner, its only writer."""

    def __init__(self, path: Path, run: Run, children: tuple[ChildSpec, ...]) -> None:
        """Write it for the first time, with nothing started. Raises OSError."""
        self._path = path
        entries = {
            spec.name: ChildEntry(
                pid=None, port=spec.port, health=spec.health, metrics=spec.metrics, log=spec.log
            )
            for spec in children
        }
        self._run = run.model_copy(update={"children": entries})
        self._written = self._run
        self._write()

    def note(self, report: Report) -> None:
        """Keep the process ids true."""
        match report:
            case ChildStarted(name, pid):
                self._set_pid(name, pid)
            case ChildEnded(name) | ChildGivenUp(name):
                self._set_pid(name, None)
            case ChildBecameReady() | ChildWaitsForRoom():
                pass

    def settle(self) -> None:
        """Write what could not be written before; what still cannot waits on."""
        if self._written is not self._run:
            with suppress(OSError):
                self._write()

    def remove(self) -> None:
        """Nothing runs any more."""
        self._path.unlink(missing_ok=True)

    def _set_pid(self, name: str, pid: int | None) -> None:
        entry = self._run.children[name].model_copy(update={"pid": pid})
        self._run = self._run.model_copy(update={"children": {**self._run.children, name: entry}})
        self.settle()

    def _write(self) -> None:
        # Readers see the old file or the new one, never half of one.
        draft = self._path.with_suffix(".json.new")
        draft.touch(mode=0o600)
        draft.write_text(self._run.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draft.replace(self._path)
        self._written = self._run


def read_run(path: Path) -> Run | None:
    """The run as written, None without a file; it is stale unless `DataFolder.is_held`."""
    try:
        return Run.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
