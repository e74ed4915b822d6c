"""The data folder: what lies where in it, and that one runner at a time has it."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class FolderInUseError(Exception):
    """Another runner has this folder. `holder`: its process id as the lock file has it."""

    def __init__(self, path: Path, holder: str) -> None:
        """`holder`: its process id, as the lock file has it."""
        super().__init__(str(path))
        self.path = path
        self.holder = holder


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Names of everything in the data folder."""

    path: Path

    @property
    def nats(self) -> Path:
        """JetStream's files: the log of all turns, the only truth."""
        return self.path / "nats"

    @property
    def mongo(self) -> Path:
        """The views; they can be rebuilt from the log."""
        return self.path / "mongo"

    @property
    def lock(self) -> Path:
        """Locked by the runner for as long as it lives; holds its process id."""
        return self.path / "lock"

    @property
    def run_file(self) -> Path:
        """Which process is which, while it runs."""
        return self.path / "run.json"

    @property
    def seal_key(self) -> Path:
        """The key to secrets of turns that run, unless the user brings one."""
        return self.path / "seal.key"

    @property
    def log_key(self) -> Path:
        """The key to the broker's files; without it they cannot be read again."""
        return self.path / "nats.key"

    @property
    def seeds(self) -> Path:
        """The folder with the seed of each user of the broker."""
        return self.path / "nats-users"

    def seed(self, user: str) -> Path:
        """The file with the seed of one user of the broker."""
        return self.seeds / f"{user}.seed"

    @property
    def key_pepper(self) -> Path:
        """What API keys are hashed with, unless the user brings it."""
        return self.path / "key.pepper"

    @property
    def closed(self) -> Path:
        """There once the first API key is made: from then on every request needs one."""
        return self.path / "closed"

    @property
    def view_key(self) -> Path:
        """The key to the keys of what the views hold, unless the user brings one."""
        return self.path / "view.key"

    @property
    def logs(self) -> Path:
        """The folder with one log for each child."""
        return self.path / "logs"

    def log(self, name: str) -> Path:
        """The file with the output of that child."""
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Create it, readable by its owner only: it holds conversations. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        self.nats.mkdir(exist_ok=True)
        self.seeds.mkdir(mode=0o700, exist_ok=True)

    def is_held(self) -> bool:
        """Tell whether a runner holds it now."""
        try:
            with self.lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold the folder inside the block, alone. Raises `FolderInUseError`.

        The kernel frees the lock however the process ends; children do not inherit it.
        """
        with self.lock.open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise FolderInUseError(self.path, lock.read().strip()) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
