"""The `turnwire` command: what it can do; each command is a module of its own."""

import typer

from turnwire_dev.commands.doctor import doctor
from turnwire_dev.commands.replay import replay
from turnwire_dev.commands.up import up

app = typer.Typer(
    name="turnwire",
    help="An open, self-hosted Stateful Responses API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(doctor)
app.command()(replay)


def main() -> None:
    """Run the command line."""
    app()
