"""What a command ends with; docs/cli.md lists them. They do not change."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
"""It could not be done, or the answer is no: what is said names the way out."""
BAD_INPUT: Final = 2
"""The command line, a file or a setting cannot be; nothing was done."""
UNREACHABLE: Final = 3
"""The server cannot be reached, or cannot answer now: the same may succeed later."""
NOT_ALLOWED: Final = 4
"""The key is refused, or may not do this."""
NOT_FOUND: Final = 5
"""There is no such thing, or not for this key."""
TOO_OLD: Final = 6
"""The server does not know the route: it is older than the command."""
INTERRUPTED: Final = 130
"""^C."""

EXIT_CODES: Final = (
    (DONE, "done; of `doctor`: nothing is wrong; of `up`: it was stopped"),
    (
        FAILED,
        (
            "it could not be done; a turn has failed; `diff`, `replay --against` and `import "
            "--check` found a difference; `doctor` found something. What is said names the way out"
        ),
    ),
    (BAD_INPUT, "the command line, a file or a setting cannot be; nothing was done"),
    (UNREACHABLE, "the server cannot be reached, or cannot answer now: the same may succeed later"),
    (NOT_ALLOWED, "the key is refused, or may not do this"),
    (NOT_FOUND, "there is no such thing, or not for this key"),
    (TOO_OLD, "the server does not know the route: it is older than the command"),
    (INTERRUPTED, "^C"),
)
"""Each code, and what it means."""
