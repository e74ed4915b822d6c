"""A whole Turnwire with stand-ins for the services: real processes, real signals, real ports."""

import os
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest

from turnwire_dev.components.members import MODULES
from turnwire_dev.testing import WITHIN, Doctor, StartUp, UpUnderTest
from turnwire_testing.faulty_machine import Machine, machine_without_faults
from turnwire_testing.ports import free_port, with_own_ports
from turnwire_testing.python_programs import turnwire

# Speaks enough HTTP to be found healthy. It knows neither a broker nor a database.
STAND_IN = """
import os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
if "{name}" == os.environ.get("STAND_IN_THAT_FAILS"):
    sys.exit("this one cannot start")
if "{name}" == os.environ.get("STAND_IN_THAT_STAYS"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{{"status": "ok"}}')
    def log_message(self, *_):
        pass
port = os.environ["{port}"]
print("{name} listens on", port, flush=True)
HTTPServer(("127.0.0.1", int(port)), Health).serve_forever()
"""


@pytest.fixture
def stand_ins(tmp_path: Path) -> Path:
    """A folder that, first on the module path, replaces the five services."""
    folder = tmp_path / "stand_ins"
    for name, module in MODULES.items():
        variable = "TURNWIRE_PORT" if name == "gateway" else "TURNWIRE_HEALTH_PORT"
        program = folder / module / "__main__.py"
        program.parent.mkdir(parents=True)
        # Comes before the real package, and all but `__main__` is still found there.
        (program.parent / "__init__.py").write_text(
            "__path__ = __import__('pkgutil').extend_path(__path__, __name__)"
        )
        program.write_text(STAND_IN.format(name=name, port=variable))
    return folder


@pytest.fixture
def environment(tmp_path: Path, stand_ins: Path) -> dict[str, str]:
    """Settings with which only the services are started: the rest is said to be elsewhere."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TURNWIRE_")}
    return {
        **clean,
        "PYTHONPATH": str(stand_ins),
        "TURNWIRE_DATA_DIR": str(with_own_ports(tmp_path / "data")),
        "TURNWIRE_PORT": str(free_port()),
        "TURNWIRE_NATS_URL": "nats://127.0.0.1:9",
        "TURNWIRE_MONGODB_URL": "mongodb://user:secret@127.0.0.1:9/turnwire",
        "TURNWIRE_BACKEND_URL": "http://127.0.0.1:9/v1",
    }


@pytest.fixture
async def start_up(environment: Mapping[str, str]) -> AsyncGenerator[StartUp]:
    """Starts `turnwire up` with changes to `environment`; after the test none of them runs."""
    started: list[UpUnderTest] = []

    async def start(python: str = sys.executable, **changes: str) -> UpUnderTest:
        up = await UpUnderTest.start({**environment, **changes}, python)
        started.append(up)
        return up

    yield start
    for up in started:
        if up.process.returncode is None:
            up.process.kill()
        await up.process.communicate()


@pytest.fixture
async def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mongodb_url: str
) -> AsyncGenerator[Machine]:
    """A machine on which nothing is wrong, for faults to be seeded."""
    async with machine_without_faults(tmp_path, monkeypatch, mongodb_url) as found:
        yield found


@pytest.fixture
def doctor(environment: Mapping[str, str], tmp_path: Path) -> Doctor:
    """Runs `turnwire doctor` with changes to `environment`."""

    async def examine(**changes: str) -> tuple[int, str]:
        told = {**environment, **changes}
        ran = await turnwire(["doctor"], told, tmp_path, WITHIN, in_one=True)
        return ran.exit_code, ran.printed

    return examine
