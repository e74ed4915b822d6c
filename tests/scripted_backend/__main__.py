"""Run the backend as a process: `python -m scripted_backend --port 9100`."""

import argparse
import asyncio
import signal
import sys

import uvloop

from scripted_backend.performance import Settings
from scripted_backend.server import ScriptedBackend

_KEPT_REQUESTS = 8
"""A process may serve for days; a test that wants them all runs the backend in-process."""


def parse(arguments: list[str]) -> tuple[int, Settings]:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripted_backend", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port (default)")
    parser.add_argument("--tokens", type=int, default=16, help="tokens of a default answer")
    parser.add_argument("--token-text", default="word ", help="text of one token")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="between tokens")
    parser.add_argument("--first-delay-ms", type=float, default=0.0, help="before the first")
    parser.add_argument("--burst", type=int, default=1, help="tokens in one write")
    dialects = ("openai", "llamacpp", "vllm", "ollama", "sglang")
    parser.add_argument("--dialect", choices=dialects, default="openai")
    parser.add_argument("--apis", nargs="+", default=("responses", "chat"), help="routes it has")
    told = vars(parser.parse_args(arguments))
    return told.pop("port"), Settings(**told)


async def serve(port: int, settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; the first line printed is the URL."""
    backend = ScriptedBackend(settings, keep=_KEPT_REQUESTS)
    await backend.start(port)
    print(backend.url, flush=True)  # noqa: T201 - the starter reads it
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    await backend.stop()


if __name__ == "__main__":
    uvloop.run(serve(*parse(sys.argv[1:])))
