"""The `turnwire` command: what it can do; each command is a module of its own."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from turnwire_chassis.settings import SettingsError
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_dev.commands.doctor import doctor
from turnwire_dev.commands.up import up
from turnwire_dev.runner import BAD_SETTINGS
from turnwire_dev.screen import Screen


class Role(Enum):
    """What a key may do."""

    USER = "user"
    ADMIN = "admin"


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
) -> None:
    """Print what a nats-server of your own is told: each service's nkey, and what it may do."""
    # As above: not every command needs what describes the broker.
    from turnwire_dev.commands.broker_config import broker_config as tell  # noqa: PLC0415

    tell(seeds, key or [])


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
    from turnwire_dev.commands.custody.audit import audit as tell  # noqa: PLC0415 -- as for replay

    tell(tenant, since, as_json=json)


@app.command()
def erase(
    *,
    tenant: Annotated[str, typer.Option(help="The tenant whose data goes.")],
    user: Annotated[str | None, typer.Option(help="Only what this user made.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Erase every turn and conversation of a tenant, or of one of its users, for ever."""
    from turnwire_dev.commands.custody.erase import erase as run  # noqa: PLC0415 -- as for replay

    run(tenant, user, yes=yes)


keys = typer.Typer(
    name="keys", help="Make, list and revoke API keys.", no_args_is_help=True, add_completion=False
)
app.add_typer(keys)


@keys.command()
def create(
    *,
    tenant: Annotated[str, typer.Option(help="Whose data: nothing leaks from one to another.")],
    user: Annotated[str, typer.Option(help="Who it speaks for, inside of the tenant.")],
    role: Annotated[Role, typer.Option(help="An admin sees and deletes all of the tenant.")],
    label: Annotated[str, typer.Option(help="What you will know it by.")] = "",
) -> None:
    """Make a key, and print it on the last line: it is shown only once."""
    from turnwire_chassis.api_keys.record import Holder  # noqa: PLC0415 -- as for replay
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for replay

    of_keys.create(Holder(TenantId(tenant), OwnerId(user), role.value, label))


@keys.command("list")
def list_keys(
    *, tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None
) -> None:
    """List all keys, without their secrets."""
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for replay

    of_keys.show(tenant)


@keys.command()
def revoke(key_id: Annotated[str, typer.Argument(help="key_…, as the list has it.")]) -> None:
    """Make a key useless, for good and within seconds."""
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for replay

    of_keys.revoke(key_id)


def main() -> None:
    """Run the command line; the exit code is 2 for a setting that cannot be, as in the services."""
    try:
        app()
    except SettingsError as error:
        Screen.of_errors().problem(str(error))
        sys.exit(BAD_SETTINGS)
