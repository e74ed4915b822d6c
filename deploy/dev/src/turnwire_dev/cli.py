"""The `turnwire` command: what it can do; each command is a module of its own."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from turnwire_chassis.settings import SettingsError
from turnwire_dev.cli_keys import keys
from turnwire_dev.commands.dead_letters.dead import dead
from turnwire_dev.commands.up import up
from turnwire_dev.output import BAD_INPUT, Output, OutputOption, screen_of
from turnwire_dev.screen import Screen

app = typer.Typer(
    name="turnwire",
    help="An open, self-hosted Stateful Responses API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(up)


def _print_version(*, requested: bool) -> None:
    if requested:
        Screen().plain(f"turnwire {version('turnwire-dev')}")
        raise typer.Exit


@app.callback()
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


@app.command()
def doctor(*, output: OutputOption = Output.TEXT) -> None:
    """Check the settings, the machine and a running Turnwire; exit code 1 if anything is wrong."""
    # Loads the settings of every service, and with them MCP: a second that other commands need not.
    from turnwire_dev.commands.doctor import doctor as run  # noqa: PLC0415 -- see above

    run(screen_of(output))


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
    output: OutputOption = Output.TEXT,
) -> None:
    """Print the events of a turn or a conversation, the state after each, and what comes next."""
    # Loads the broker's client and the turn core, which would make every `turnwire up` wait.
    from turnwire_dev.commands.replay import replay as tell  # noqa: PLC0415 -- see above

    tell(response_or_conversation, from_file, export, tenant, screen_of(output))


@app.command("broker-config")
def broker_config(
    *,
    seeds: Annotated[
        Path | None,
        typer.Option(help="A folder with <user>.seed for each user; what is missing is made."),
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A public key: gateway=U…; once for each user.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what a nats-server of your own is told: each service's nkey, and what it may do."""
    # As above: not every command needs what describes the broker.
    from turnwire_dev.commands.broker_config import broker_config as tell  # noqa: PLC0415

    tell(seeds, key or [], screen_of(output))


@app.command()
def audit(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only acts in this tenant.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only acts from then on: 2026-11-27T08:00, or 30m, 12h, 7d.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print who did what only admins and operators may: to what, and when."""
    from turnwire_dev.commands.data_admin.audit import audit as tell  # noqa: PLC0415 -- as for replay

    tell(tenant, since, screen_of(Output.JSON if json else output))


@app.command()
def erase(
    *,
    tenant: Annotated[str, typer.Option(help="The tenant whose data goes.")],
    user: Annotated[str | None, typer.Option(help="Only what this user made.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Erase every turn and conversation of a tenant, or of one of its users, for ever."""
    from turnwire_dev.commands.data_admin.erase import erase as run  # noqa: PLC0415 -- as for replay

    run(tenant, user, screen_of(output), yes=yes)


@app.command()
def rebuild(*, output: OutputOption = Output.TEXT) -> None:
    """Build the views anew from the log, compare them with it, and let them serve."""
    from turnwire_dev.commands.rebuild import rebuild as run  # noqa: PLC0415 -- as for replay

    run(screen_of(output))


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Where to: a folder that is not there yet.")],
    *,
    without_secrets: Annotated[
        bool,
        typer.Option("--without-secrets", help="Leave out the keys; keep them elsewhere."),
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the log, and the keys that cannot be made again, into a folder, while all goes on."""
    from turnwire_dev.commands.backups.backup import backup as run  # noqa: PLC0415 -- as for replay

    run(folder, screen_of(output), without_secrets=without_secrets)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup, as `turnwire backup` wrote it.")],
    *,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Also where something is: moved aside in a data folder, deleted in a broker.",
        ),
    ] = False,
    without_views: Annotated[
        bool,
        typer.Option(
            "--without-views",
            help="Into a broker without TURNWIRE_MONGODB_URL: you drop the database yourself.",
        ),
    ] = False,
    log_key: Annotated[
        Path | None,
        typer.Option(help="The file nats.key, for a backup that was made without secrets."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Verify a backup and put it into an empty data folder, or into a broker of yours."""
    from turnwire_dev.commands.backups.restore import restore as run  # noqa: PLC0415 -- as above

    run(folder, log_key, screen_of(output), replace=replace, without_views=without_views)


app.add_typer(keys)
app.add_typer(dead)


def main() -> None:
    """Run the command line; the exit code is 2 for a setting that cannot be, as in the services."""
    try:
        app()
    except SettingsError as error:
        Screen.of_errors().problem(str(error))
        sys.exit(BAD_INPUT)
