"""A process that has modules loaded, and becomes any number of programs, each in a fork of it.

`python -m turnwire_testing.forking SOCKET MODULE...`; ends with its standard input. Over each
connection comes one call as a line of JSON, and goes its exit code; who hangs up kills the program.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import TypedDict


class Call(TypedDict):
    """What a program is run with."""

    arguments: list[str]
    """As they stand behind `python`: a file or `-m` and a module, and what it is told."""
    environment: dict[str, str]
    folder: str
    printed: str
    """The file that is its standard output."""
    errors: str


def serve(address: str) -> Call:
    """Fork for each connection, for ever; returns only in forks, what they are to become."""
    # Who is not waited for is no zombie then.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)  # noqa: T201 -- whoever started it waits for that
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.exit()
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    return attend(connection)


def attend(connection: socket.socket) -> Call:
    """Read a call, and watch over its program; returns only in the process that it is to be."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile() as lines:
        call: Call = json.loads(lines.readline())
    program = os.fork()
    if program == 0:
        return call
    ended = os.pidfd_open(program)
    if ended not in select.select([connection, ended], [], [])[0]:
        os.kill(program, signal.SIGKILL)
    _, status = os.waitpid(program, 0)
    with suppress(OSError):
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    # What ends with an interpreter belongs to the process that was forked.
    os._exit(0)


def become(call: Call) -> None:
    """Run a program in this process."""
    for stream, path in enumerate((os.devnull, call["printed"], call["errors"])):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream)
        os.close(file)
    os.environ.clear()
    os.environ.update(call["environment"])
    os.chdir(call["folder"])
    first, *arguments = call["arguments"]
    if first == "-m":
        sys.argv = arguments
        sys.path[0] = call["folder"]
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [first, *arguments]
        sys.path[0] = os.path.dirname(first)  # noqa: PTH120 -- as Python has it
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    _, where, *modules = sys.argv
    for module in modules:
        import_module(module)
    gc.freeze()
    become(serve(where))
