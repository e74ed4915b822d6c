"""`turnwire admin webhooks …`: where the ends of a key's responses are told."""

from typing import Annotated

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.ids import KeyArgument
from turnwire_cli.objects import facts, print_facts
from turnwire_cli.printing import JSON


def declare(group: typer.Typer) -> None:
    """Add the commands."""
    webhooks = typer.Typer(
        name="webhooks", no_args_is_help=True, help="Where the ends of a key's responses are told."
    )
    group.add_typer(webhooks)
    declared(webhooks, "show")(show)
    declared(webhooks, "set")(set_up)
    declared(webhooks, "rotate")(rotate)
    declared(webhooks, "rm")(remove)


def show(call: Call, key: KeyArgument) -> None:
    """Print where a key's webhook leads, and what it is told."""
    found = call.client.admin.get(f"keys/{key}/webhook")
    print_facts(call.printer, found)


def set_up(
    call: Call,
    key: KeyArgument,
    receiver: Annotated[str, typer.Argument(metavar="URL", help="https://…", show_default=False)],
    *,
    event: Annotated[
        list[str] | None,
        typer.Option(help="One type that is told; without, all are.", show_default=False),
    ] = None,
) -> None:
    """Have events sent to a URL; a secret that is made is printed on the last line, only once."""
    body: JSON = {"url": receiver, **({"events": event} if event else {})}
    _print(call, call.client.admin.put(f"keys/{key}/webhook", body))


def rotate(
    call: Call,
    key: KeyArgument,
    *,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="The old secret signs for 24 hours, too.")
    ] = False,
) -> None:
    """Sign with a new secret, which is printed on the last line, only once."""
    body: JSON = {"keep_old_secret_active_for_24_hours": keep_old}
    _print(call, call.client.admin.post(f"keys/{key}/webhook/rotate_secret", body))


def remove(call: Call, key: KeyArgument) -> None:
    """Have nothing told any more, also not what waits."""
    found = call.client.admin.delete(f"keys/{key}/webhook")
    call.printer.one(found, lambda: [f"{key}  without webhook"])


def _print(call: Call, found: JSON) -> None:
    shown = {name: value for name, value in found.items() if name != "secret"}
    secret = [found["secret"]] if found.get("secret") else []
    call.printer.one(found, lambda: [*facts(shown), *secret])
