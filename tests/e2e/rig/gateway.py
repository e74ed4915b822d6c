"""One more gateway beside that of a stack: on the same logs, with an address of its own."""

import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager

from e2e.rig.stack import UP_WITHIN, Stack, free_port


@contextmanager
def one_more_gateway(stack: Stack) -> Generator[str]:
    """Run a second gateway; gives its base URL."""
    port = free_port()
    process = subprocess.Popen(
        stack.python("turnwire_gateway"),
        env={**stack.service_environment("gateway"), "TURNWIRE_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + UP_WITHIN
        while not _listens(port):
            if time.monotonic() > until:
                raise AssertionError("the second gateway does not listen")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
