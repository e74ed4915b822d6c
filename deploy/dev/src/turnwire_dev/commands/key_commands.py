"""`turnwire keys …`: API keys, as they can be called."""

from enum import Enum
from typing import Annotated

import typer

from turnwire_cli.printing import Output
from turnwire_dev.command_options import OutputOption, declared, screen_of


class Role(Enum):
    """What a key may do."""

    USER = "user"
    ADMIN = "admin"
    OPERATOR = "operator"


class KeyScope(Enum):
    """What a key may be used for, within its role."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


def commands() -> typer.Typer:
    """Give the group with its commands."""
    group = typer.Typer(name="keys", help="Make, list and revoke API keys.", no_args_is_help=True)
    declared(group, "create")(create)
    declared(group, "list")(list_keys)
    declared(group, "revoke")(revoke)
    return group


def create(  # noqa: PLR0913 -- each is an option of the command
    *,
    tenant: Annotated[str, typer.Option(help="Whose data: nothing leaks from one to another.")],
    user: Annotated[str, typer.Option(help="Who it speaks for, inside of the tenant.")],
    role: Annotated[
        Role,
        typer.Option(
            help="An admin sees and deletes all of the tenant; an operator runs the deployment, "
            "and sees of all tenants what holds no content."
        ),
    ],
    label: Annotated[str, typer.Option(help="What you will know it by.")] = "",
    scope: Annotated[
        list[KeyScope] | None, typer.Option(help="What it may be used for; unless said: all.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="When it ends: 2027-01-01T00:00, or 12h, 30d from now on.")
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a key, and print it on the last line: it is shown only once."""
    from turnwire_chassis.api_keys.record import (  # noqa: PLC0415 -- as for `turnwire up`
        KeyOwner,
        Scope,
    )
    from turnwire_contracts.ids import OwnerId, TenantId  # noqa: PLC0415 -- as for `turnwire up`
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for `turnwire up`

    owner = KeyOwner(TenantId(tenant), OwnerId(user), role.value, label)
    scopes: list[Scope] = [each.value for each in scope or ()]
    of_keys.create(owner, scopes, expires, screen_of(output))


def list_keys(
    *,
    tenant: Annotated[str | None, typer.Option(help="Only keys of this tenant.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List all keys, without their secrets."""
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for `turnwire up`

    of_keys.show(tenant, screen_of(output))


def revoke(
    key_id: Annotated[str, typer.Argument(help="key_…, as the list has it.")],
    *,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a key useless, for good and within seconds."""
    from turnwire_dev.commands import keys as of_keys  # noqa: PLC0415 -- as for `turnwire up`

    of_keys.revoke(key_id, screen_of(output))
