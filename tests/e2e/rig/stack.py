"""The whole stack as a user runs it: `turnwire up` in a process of its own, driven from outside."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from e2e.rig.first_key import first_key
from turnwire_testing.ports import free_port, with_own_ports

UP_WITHIN = 60.0
BACK_WITHIN = 60.0
STOP_WITHIN = 30.0

_SERVICES = ("gateway", "orchestrator", "tool-runner", "guard", "store")


class Stack:
    """One data folder and one port, with a runner that can be stopped and started again."""

    def __init__(self, data: Path, *, keyless: bool = False, **settings: str) -> None:
        """`settings` are those of Turnwire, without their prefix and in lower case.

        The tests' own MCP servers run on this machine.
        """
        self.data = with_own_ports(data)
        self.key = ""
        """The API key of an admin, from the first start on; empty with `keyless`."""
        self._keyless = keyless
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        settings = {"allow_private_urls": "loopback", **settings}
        told = {f"TURNWIRE_{name.upper()}": value for name, value in settings.items()}
        self.environment = {
            **_without_settings(os.environ),
            **told,
            "TURNWIRE_PORT": str(self.port),
            "TURNWIRE_DATA_DIR": str(self.data),
        }
        self._runner: subprocess.Popen[str] | None = None
        self._screen = _Screen()

    def start(self) -> "Stack":
        """Start it, and wait until it says that it is up; not to be called where a loop runs."""
        self._runner = subprocess.Popen(
            (sys.executable, "-m", "turnwire_dev", "up"),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._screen = _Screen()
        self._screen.follow(self._runner)
        if not self.key and not self._keyless:
            self._screen.wait_for("nats is ready", UP_WITHIN)
            # The services start meanwhile.
            self.key = asyncio.run(first_key(self.data, UP_WITHIN))
        self._screen.wait_for("Stop it with ^C", UP_WITHIN)
        if self.key:
            self._wait_until_keys_count()
        return self

    def new_key(self, *options: str, tenant: str = "local") -> str:
        """Make an API key as a user does; gives the last line that was printed."""
        made = subprocess.run(
            self.command("keys", "create", "--tenant", tenant, *options),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise AssertionError(made.stderr)
        return made.stdout.splitlines()[-1]

    @property
    def bearer(self) -> dict[str, str]:
        """The headers that say who is calling."""
        return {"Authorization": f"Bearer {self.key or 'any'}"}

    def stop(self) -> None:
        """Press ^C, and wait for its end."""
        self._end(signal.SIGINT)

    def pull_the_plug(self) -> None:
        """Kill the runner, and with it everything it started."""
        started = (self.data / "run.json").exists()
        pids = [self.pid(name) for name in self.run()["children"]] if started else []
        watched = [os.pidfd_open(pid) for pid in pids]
        self._end(signal.SIGKILL)
        for descriptor in watched:
            # Readable once the process has ended; it must be, before its folder is used again.
            select.select([descriptor], [], [], STOP_WITHIN)
            os.close(descriptor)

    def run(self) -> dict[str, Any]:
        """`run.json` as it is now."""
        return json.loads((self.data / "run.json").read_text(encoding="utf-8"))

    def pid(self, name: str) -> int:
        """The process id of a child."""
        return self.run()["children"][name]["pid"]

    def kill(self, *names: str) -> None:
        """Kill children with SIGKILL; the runner starts them again."""
        self.listen_anew()
        for name in names:
            os.kill(self.pid(name), signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """Stop a child where it is: what it is sent waits for it."""
        os.kill(self.pid(name), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen child go on."""
        os.kill(self.pid(name), signal.SIGCONT)

    def wait_until_back(self, *names: str) -> None:
        """Wait until the runner says that the children that were killed are ready again."""
        for name in names:
            self._screen.wait_for(f"{name} is back", BACK_WITHIN)

    def listen_anew(self) -> None:
        """Let those that wait for the screen wait only for what is said from now on."""
        self._screen.forget()

    def wait_until_said(self, text: str) -> None:
        """Wait until the runner has said something."""
        self._screen.wait_for(text, BACK_WITHIN)

    def seed_of(self, user: str) -> Path:
        """The file with what proves to the broker who that is."""
        return self.data / "nats-users" / f"{user}.seed"

    def service_environment(self, service: str) -> dict[str, str]:
        """What one more process of that service is told, so that it works with the others."""
        run = self.run()
        told = {
            "TURNWIRE_NATS_URL": run["nats_url"],
            "TURNWIRE_NATS_NKEY_SEED_FILE": str(self.seed_of(service)),
            "TURNWIRE_MONGODB_URL": run["mongodb_url"],
            # Empty where a file names the backends.
            "TURNWIRE_BACKEND_URL": run["backend_url"],
            "TURNWIRE_KEY_PEPPER": (self.data / "key.pepper").read_text(encoding="ascii").strip(),
            "TURNWIRE_VIEW_KEY": (self.data / "view.key").read_text(encoding="ascii").strip(),
        }
        return {**self.environment, **{name: value for name, value in told.items() if value}}

    def command(self, *arguments: str) -> tuple[str, ...]:
        """A `turnwire` command, to be run with `environment`."""
        return self.python("turnwire_dev", *arguments)

    def python(self, module: str, *arguments: str) -> tuple[str, ...]:
        """One of Turnwire's programs, by its module."""
        return (sys.executable, "-m", module, *arguments)

    @property
    def screen(self) -> str:
        """All that the runner has said."""
        return self._screen.text

    def files_with(self, text: str) -> list[Path]:
        """Find the files below the data folder in which these words stand."""
        words = text.encode()
        files = [path for path in self.data.rglob("*") if path.is_file()]
        return [path.relative_to(self.data) for path in files if words in _bytes(path)]

    def logs(self) -> str:
        """The end of every service's log: what a failed test needs to know."""
        logs = [self.data / "logs" / f"{name}.log" for name in _SERVICES]
        return "\n".join(f"--- {log.name}\n{_tail(log)}" for log in logs if log.exists())

    def _wait_until_keys_count(self) -> None:
        """Wait until the gateway has heard of the key: before, whoever comes is let in."""
        until = time.monotonic() + UP_WITHIN
        while self._status_without_key() != HTTPStatus.UNAUTHORIZED:
            if time.monotonic() > until:
                raise AssertionError(f"who shows no key is let in:\n{self.screen}")
            time.sleep(0.02)

    def _status_without_key(self) -> int:
        asking = HTTPConnection("127.0.0.1", self.port, timeout=UP_WITHIN)
        try:
            asking.request("GET", "/v1/conversations?limit=1")
            return asking.getresponse().status
        finally:
            asking.close()

    def _end(self, signal_number: signal.Signals) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.send_signal(signal_number)
            runner.wait(STOP_WITHIN)
            self._screen.join()


class _Screen:
    """The lines of a runner, and waits for one of them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._seen = 0
        self._ended = False
        self._news = Condition()
        self._reader: Thread | None = None

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def follow(self, runner: subprocess.Popen[str]) -> None:
        self._reader = Thread(target=self._read, args=(runner,), daemon=True)
        self._reader.start()

    def forget(self) -> None:
        """Wait only for lines that come from now on."""
        self._seen = len(self._lines)

    def wait_for(self, text: str, within: float) -> None:
        with self._news:
            heard = self._news.wait_for(lambda: self._says(text) or self._ended, within)
        if not heard or not self._says(text):
            raise AssertionError(f"it did not say {text!r} in {within} s:\n{self.text}")

    def join(self) -> None:
        if self._reader is not None:
            self._reader.join()

    def _says(self, text: str) -> bool:
        return any(text in line for line in self._lines[self._seen :])

    def _read(self, runner: subprocess.Popen[str]) -> None:
        if runner.stdout is None:
            raise TypeError("the runner was started without a pipe")
        with runner.stdout as lines:
            for line in lines:
                with self._news:
                    self._lines.append(line.rstrip())
                    self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("TURNWIRE_")}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # A database that lives drops files.
        return b""


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-3000:]
