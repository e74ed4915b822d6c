"""Ties a command to its runner: asks the kernel to kill it when the runner dies, then becomes it.

A launcher script and not `preexec_fn`: Python code between fork and exec may deadlock once a
program has threads (Python 3.12 warns of it). The process id stays the same; it costs some 15 ms.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """`parent_death.py <pid of the runner> <command>…`; elsewhere the command alone."""
    runner, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - costs 8 ms, needed on Linux only

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        # The runner may have died before the kernel was asked; then no signal would come.
        if os.getppid() != runner:
            sys.exit("the runner is gone")
    try:
        os.execv(command[0], command)  # noqa: S606 # nosec B606 - the command comes from our own plan
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv)
