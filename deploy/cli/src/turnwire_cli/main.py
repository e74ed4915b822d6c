"""The `turnwire` command on one page: which commands there are, and in which group of `--help`."""

import importlib
import importlib.util
import sys
from typing import Annotated, Final

import typer

from turnwire_cli.commands import (
    administration,
    approvals,
    asking,
    contexts,
    conversations,
    deployment,
    logs,
    logs_in_files,
    mcp,
    responses,
)
from turnwire_cli.panels import PanelGroup

_BROKER_COMMANDS: Final = "turnwire_dev.cli"
"""What adds the commands of a machine that runs Turnwire, or sees its broker, where it is there."""

_HELP: Final = (
    "An open, self-hosted Stateful Responses API.\n\n"
    "All commands but those of the last group need an address and a key: --url and --api-key, "
    "TURNWIRE_URL and TURNWIRE_API_KEY, or a context; without any, a Turnwire on this machine."
)


def _print_version(*, requested: bool) -> None:
    if requested:
        # Slow to load, and only this needs it.
        from importlib.metadata import version  # noqa: PLC0415 -- see above

        sys.stdout.write(f"turnwire {version('turnwire-cli')}\n")
        raise typer.Exit


def turnwire(
    *,
    shows_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take what concerns no command."""


def command_line() -> typer.Typer:
    """Give the whole command line: the client's commands, and the broker's where they are."""
    app = typer.Typer(
        name="turnwire",
        cls=PanelGroup,
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(help=_HELP)(turnwire)
    for each in (asking, responses, conversations, logs, deployment, approvals, administration):
        each.declare(app)
    for each in (logs_in_files, mcp, contexts):
        each.declare(app)
    if importlib.util.find_spec(_BROKER_COMMANDS.partition(".")[0]) is not None:
        importlib.import_module(_BROKER_COMMANDS).declare(app)
    return app


def main() -> None:
    """Run the command line."""
    command_line()()
