"""`docs/cli.md`: every command of `turnwire` with its options, from the commands themselves."""

import typer
from source import code, table
from typer.cli import get_docs_for_click

from turnwire_dev.cli import app

_HEAD = """\
# Command line

Written by `docs/generate.py` from the commands; do not edit it here.

`-o json` makes every command say what it says as one JSON object a line: `up` its events, `doctor`
its checks, the others their results. `turnwire --install-completion` completes commands and options
in bash, zsh and fish.
"""

_CODES = (
    ("0", "done; of `doctor`: nothing is wrong; of `up`: it was stopped"),
    ("1", "it could not be done, or `doctor` has found something; what is said names the way out"),
    ("2", "the command line or a setting cannot be; nothing was done"),
)


def cli_page() -> str:
    """Write the whole page."""
    command = typer.main.get_command(app)
    docs = get_docs_for_click(obj=command, ctx=typer.Context(command), name="turnwire")
    codes = table(("exit code", "means"), [(code(number), what) for number, what in _CODES])
    body = "\n".join(line.rstrip() for line in docs.splitlines()[1:])
    return f"{_HEAD}\n{codes}\n{body}\n"
