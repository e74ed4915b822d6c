"""The `turnwire` command: what it can do; each command is a module of its own."""

from pathlib import Path
from typing import Annotated

import typer

from turnwire_dev.commands.doctor import doctor
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


@app.command()
def replay(
    response_id: Annotated[
        str | None, typer.Argument(help="The turn; may be left out with --from-file.")
    ] = None,
    *,
    from_file: Annotated[
        Path | None, typer.Option(help="Read an exported log instead of the broker's.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Also write the turn's events to this file.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that the turn belongs to.")] = "local",
) -> None:
    """Print the events of a turn, the state after each, and what would be done next."""
    # Loads the broker's client and the turn core, which would make every `turnwire up` wait.
    from turnwire_dev.commands.replay import replay as tell  # noqa: PLC0415 -- see above

    tell(response_id, from_file, export, tenant)


def main() -> None:
    """Run the command line."""
    app()
