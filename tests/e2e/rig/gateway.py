"""One more gateway beside that of a stack: on the same logs, with an address of its own."""

import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from e2e.rig.stack import UP_WITHIN, Stack
from turnwire_testing.ports import free_port
from turnwire_testing.service_processes import ServiceProcess, start_module


@dataclass(frozen=True)
class Gateway:
    """A gateway's process, the base URL of its API, and that of its ops port."""

    process: ServiceProcess
    url: str
    ops_url: str


@contextmanager
def one_more_gateway(stack: Stack) -> Generator[str]:
    """Run a second gateway; gives its base URL."""
    with gateway_process(stack) as gateway:
        yield gateway.url


@contextmanager
def gateway_process(stack: Stack, **settings: str) -> Generator[Gateway]:
    """Run a gateway beside that of the stack; `settings` as those of a stack."""
    port, ops_port = free_port(), free_port()
    told = {f"TURNWIRE_{name.upper()}": value for name, value in settings.items()}
    environment = {
        **stack.service_environment("gateway"),
        **told,
        "TURNWIRE_PORT": str(port),
        "TURNWIRE_HEALTH_PORT": str(ops_port),
    }
    log = stack.data / "logs" / f"gateway-{port}.log"
    gateway = start_module(("turnwire_gateway",), environment, log, ops_port)
    try:
        until = time.monotonic() + UP_WITHIN
        while not _listens(port):
            if time.monotonic() > until:
                raise AssertionError(f"it does not listen:\n{log.read_text()}")
            time.sleep(0.05)
        yield Gateway(gateway, f"http://127.0.0.1:{port}/v1", f"http://127.0.0.1:{ops_port}")
    finally:
        gateway.process.kill()
        gateway.process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
