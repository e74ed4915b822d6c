"""The commands of a machine that runs Turnwire, or sees its broker; each is a module of its own.

`turnwire_cli` adds them to those of the client where this package is installed.
"""

from pathlib import Path
from typing import Annotated

import typer

from turnwire_cli.panels import BROKER
from turnwire_cli.printing import Output
from turnwire_dev.command_options import OutputOption, declared, screen_of
from turnwire_dev.commands import key_commands
from turnwire_dev.commands.dead_letters import dead_commands


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    for name, run in (
        ("up", up),
        ("doctor", doctor),
        ("broker-replay", broker_replay),
        ("broker-config", broker_config),
        ("audit", audit),
        ("erase", erase),
        ("rebuild", rebuild),
        ("backup", backup),
        ("restore", restore),
    ):
        declared(app, name, BROKER)(run)
    app.add_typer(dead_commands.commands(), rich_help_panel=BROKER)
    app.add_typer(key_commands.commands(), rich_help_panel=BROKER)


def up(
    *,
    scale: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE=N",
            help="How many processes of a service run, once for each service; or `auto`: as many "
            "as use every core.",
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run all of Turnwire here until ^C; settings are TURNWIRE_ environment variables."""
    # Loads the broker's client, the turn core and all settings, which `--help` does not need.
    from turnwire_dev.commands.up import up as run  # noqa: PLC0415 -- see above

    run(scale or [], screen_of(output))


def doctor(*, output: OutputOption = Output.TEXT) -> None:
    """Check the settings, the machine and a running Turnwire; exit code 1 if anything is wrong."""
    from turnwire_dev.commands.doctor import doctor as run  # noqa: PLC0415 -- as for up

    run(screen_of(output))


def broker_replay(
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
    """Print what the broker's log has of a turn or a conversation, and what comes next."""
    from turnwire_dev.commands.replay import replay as tell  # noqa: PLC0415 -- as for up

    tell(response_or_conversation, from_file, export, tenant, screen_of(output))


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
    from turnwire_dev.commands.broker_config import (  # noqa: PLC0415 -- as for up
        broker_config as tell,
    )

    tell(seeds, key or [], screen_of(output))


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
    from turnwire_dev.commands.data_admin.audit import audit as tell  # noqa: PLC0415 -- as for up

    tell(tenant, since, screen_of(Output.JSON if json else output))


def erase(
    *,
    tenant: Annotated[str, typer.Option(help="The tenant whose data goes.")],
    user: Annotated[str | None, typer.Option(help="Only what this user made.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Erase every turn and conversation of a tenant, or of one of its users, for ever."""
    from turnwire_dev.commands.data_admin.erase import erase as run  # noqa: PLC0415 -- as for up

    run(tenant, user, screen_of(output), yes=yes)


def rebuild(*, output: OutputOption = Output.TEXT) -> None:
    """Build the views anew from the log, compare them with it, and let them serve."""
    from turnwire_dev.commands.rebuild import rebuild as run  # noqa: PLC0415 -- as for up

    run(screen_of(output))


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
    from turnwire_dev.commands.backups.backup import backup as run  # noqa: PLC0415 -- as for up

    run(folder, screen_of(output), without_secrets=without_secrets)


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
