"""`turnwire admin …`: what admins of a tenant and operators may do, by HTTP."""

from typing import Annotated, Any, Final, TypeAlias

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.ids import DEFAULT_MOST, EachAnew, Most
from turnwire_cli.objects import changed_fields, facts, moments, plain
from turnwire_cli.panels import ACT
from turnwire_cli.printing import JSON

_Key: TypeAlias = Annotated[
    str, typer.Argument(metavar="KEY", help="key_…, as the list has it.", show_default=False)
]
_PAGES: Final = {
    "system": "Members, versions, streams, lag, checkpoint, dead letters.",
    "limits": "The limits that hold, and what is used of them now.",
    "guard": "The guard's policy in force.",
    "tool_servers": "MCP servers: reachable, tools, breaker.",
    "backends": "Backends: their models, and how they are.",
}
"""Parts of `/v1/admin` that are read as they are, and what they tell."""


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="admin", no_args_is_help=True, help="Keys, limits, audit, erasures, the system."
    )
    app.add_typer(group, rich_help_panel=ACT)
    for part, what in _PAGES.items():
        _declare_page(group, part, what)
    declared(group, "audit")(audit)
    declared(group, "erasures")(erasures)
    declared(group, "erase")(erase)
    keys = typer.Typer(name="keys", no_args_is_help=True, help="Make, list, revoke API keys.")
    group.add_typer(keys)
    declared(keys, "ls")(list_keys)
    declared(keys, "create")(create_key)
    declared(keys, "rm")(remove_key)


def _declare_page(group: typer.Typer, part: str, what: str) -> None:
    def page(call: Call) -> None:
        found = call.client.admin.get(part)
        call.printer.one(found, lambda: facts(found))

    page.__doc__ = what
    declared(group, part.replace("_", "-"))(page)


def audit(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List who did what only admins and operators may."""
    _list(call, "audit", most)


def erasures(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List erasures: whose data, when, how far."""
    _list(call, "erasures", most)


def erase(
    call: Call,
    *,
    user: Annotated[
        str | None, typer.Option(help="Only what this user made.", show_default=False)
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Erase what a user or the whole tenant has, for ever."""
    about: JSON = {} if user is None else {"user": user}
    if not preview and not yes:
        whose = f"of {user}" if user else "of the whole tenant"
        typer.confirm(f"Erase all turns and conversations {whose} for ever?", abort=True)
    found = call.client.admin.post("erasures", {**about, **({"preview": True} if preview else {})})
    call.printer.one(found, lambda: facts(found))


def list_keys(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List keys, without their secrets."""
    columns = (
        *plain("id", "user", "role", "scopes", "label"),
        moments(call.printer, "created_at", "created"),
        moments(call.printer, "expires_at", "expires"),
        moments(call.printer, "revoked_at", "revoked"),
    )
    call.printer.many(call.client.admin.iterate("keys", most), columns)


def create_key(
    call: Call,
    *,
    user: Annotated[str, typer.Option(help="Who it speaks for.", show_default=False)],
    role: Annotated[str, typer.Option(help="user, or admin.")] = "user",
    label: Annotated[str, typer.Option(help="What you will know it by.")] = "",
    fields: EachAnew = None,
) -> None:
    """Make a key, and print it on the last line: it is shown only once."""
    body: dict[str, Any] = {"user": user, "role": role, **changed_fields(fields)}
    found = call.client.admin.post("keys", {**body, **({"label": label} if label else {})})
    secret = found.get("key") or found.get("secret") or ""
    call.printer.one(found, lambda: [f"{found.get('id')}  {user}  {role}", str(secret)])


def remove_key(call: Call, key: _Key) -> None:
    """Make a key useless, for good and within seconds."""
    found = call.client.admin.delete(f"keys/{key}")
    call.printer.one(found, lambda: [f"{key}  revoked"])


def _list(call: Call, part: str, most: int) -> None:
    def line(found: JSON) -> str:
        return "  ".join(facts(found))

    call.printer.each(call.client.admin.iterate(part, most), line)
