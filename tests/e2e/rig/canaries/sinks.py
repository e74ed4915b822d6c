"""Every place in which a running stack could leave a secret, and what stands there."""

import base64
import binascii
import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import psutil

from e2e.rig.remains import contents, written
from e2e.rig.stack import Stack

Sinks = Mapping[str, tuple[bytes, ...]]
"""By name, such as `nats.conf`, `environ of store` or `turnwire audit`."""

_KEY_BYTES = 32


def found_in(sinks: Sinks, secret: str) -> set[str]:
    """Name the sinks in which a secret stands, however it is written."""
    ways = tuple(set(_ways(secret)))
    return {
        name for name, said in sinks.items() if any(way in each for each in said for way in ways)
    }


def files_of(stack: Stack) -> Sinks:
    """All files of the data folder: log, database, logs of services, configuration, keys."""
    paths = [path for path in stack.data.rglob("*") if path.is_file()]
    return {str(path.relative_to(stack.data)): tuple(contents(path)) for path in paths}


def processes_of(stack: Stack) -> Sinks:
    """What anybody sees of each process, and what its environment tells it.

    The runner's own environment is left out: all that the operator says stands there.
    """
    run = stack.run()
    names = {child["pid"]: name for name, child in run["children"].items()}
    runner = psutil.Process(run["runner"])
    sinks = {"argv of turnwire": (_proc(runner.pid, "cmdline"),)}
    for child in runner.children(recursive=True):
        name = names.get(child.pid) or f"another child ({child.name()})"
        sinks[f"argv of {name}"] = (_proc(child.pid, "cmdline"),)
        sinks[f"environ of {name}"] = (_proc(child.pid, "environ"),)
    return sinks


def commands_of(stack: Stack, commands: Iterable[tuple[str, ...]]) -> Sinks:
    """What the operator's commands print; each must succeed."""
    return {f"turnwire {' '.join(each)}": (_output(stack, each),) for each in commands}


def _output(stack: Stack, arguments: tuple[str, ...]) -> bytes:
    ran = subprocess.run(
        stack.command(*arguments),
        env=stack.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if ran.returncode != 0:
        raise AssertionError(ran.stdout.decode())
    return ran.stdout


def _proc(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def _ways(secret: str) -> Iterator[bytes]:
    yield from written(secret)
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret).encode().hex().encode()
    try:
        key = base64.b64decode(secret, validate=True)
    except binascii.Error:
        return
    if len(key) == _KEY_BYTES:
        # A key that is told in base64 may be kept as what it is.
        yield key
        yield key.hex().encode()
