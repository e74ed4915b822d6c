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
    response_or_conversation: Annotated[
        str | None, typer.Argument(help="resp_… or conv_…; may be left out with --from-file.")
    ] = None,
    *,
    from_file: Annotated[
        Path | None, typer.Option(help="Read an exported log instead of the broker's.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Also write the events to this file.")] = None,
    tenant: Annotated[str, typer.Option(help="The tenant that it belongs to.")] = "local",
) -> None:
    """Print the events of a turn or a conversation, the state after each, and what comes next."""
    # Loads the broker's client and the turn core, which would make every `turnwire up` wait.
    from turnwire_dev.commands.replay import replay as tell  # noqa: PLC0415 -- see above

    tell(response_or_conversation, from_file, export, tenant)


@app.command()
def audit(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only acts in this tenant.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only acts from then on: 2026-11-27T08:00, or 30m, 12h, 7d.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print who did what only admins and operators may: to what, and when."""
    from turnwire_dev.commands.audit import audit as tell  # noqa: PLC0415 -- as for replay

    tell(tenant, since, as_json=json)


@app.command()
def erase(
    *,
    tenant: Annotated[str, typer.Option(help="The tenant whose data goes.")],
    user: Annotated[str | None, typer.Option(help="Only what this user made.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Erase every turn and conversation of a tenant, or of one of its users, for ever."""
    from turnwire_dev.commands.erase import erase as run  # noqa: PLC0415 -- as for replay

    run(tenant, user, yes=yes)


def main() -> None:
    """Run the command line."""
    app()
