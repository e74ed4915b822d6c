"""`turnwire admin …`: what admins of a tenant and operators may do, by HTTP."""

import time
from typing import Annotated, Final

import typer

from turnwire_cli.calling import Call, declared, option
from turnwire_cli.commands import webhooks
from turnwire_cli.commands.ids import DEFAULT_MOST, EachAnew, KeyArgument, Most
from turnwire_cli.exit_codes import FAILED
from turnwire_cli.objects import (
    changed_fields,
    facts,
    moments,
    plain,
    print_facts,
    seconds_ahead,
    seconds_of,
)
from turnwire_cli.panels import ACT
from turnwire_cli.printing import JSON, in_one_line

_TENANT: Final = option(
    "tenant", str | None, None, help_="Only this tenant; an admin's own if not said."
)
_USER: Final = option("user", str | None, None, help_="Only this user.")
_SINCE: Final = option("since", str | None, None, help_="Not older: 30m, 12h, 7d ago, or a time.")
_SCOPES: Final = option(
    "scopes",
    list[str] | None,
    None,
    "--scope",
    help_="What it may be used for: read, write, admin; may be repeated; unless said: all.",
)
_EXPIRES: Final = option(
    "expires", str | None, None, help_="When it ends: 2027-01-01T00:00, or 12h, 30d from now on."
)
_PAGES: Final = {
    "system": "Members, versions, streams, queues, projection, dead letters; for operators.",
    "guard": "The guard's policy in force; for operators.",
    "tool_servers": "MCP servers: reachable, tools, breaker; for operators.",
    "backends": "Inference servers: models, API, health; for operators.",
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
    declared(group, "limits", options=(_TENANT,))(limits)
    declared(group, "audit", options=(_TENANT, _USER, _SINCE))(audit)
    declared(group, "erasures", options=(_TENANT,))(erasures)
    declared(group, "erase", options=(_USER,))(erase)
    declared(group, "guard-test")(try_guard)
    keys = typer.Typer(name="keys", no_args_is_help=True, help="Make, list, revoke API keys.")
    group.add_typer(keys)
    declared(keys, "ls", options=(_TENANT, _USER))(list_keys)
    declared(keys, "create", options=(_TENANT, _SCOPES, _EXPIRES))(create_key)
    declared(keys, "rm")(remove_key)
    webhooks.declare(group)
    dead = typer.Typer(name="dead", no_args_is_help=True, help="Dead letters; for operators.")
    group.add_typer(dead)
    declared(dead, "ls")(list_dead)
    declared(dead, "retry")(retry_dead)


def _declare_page(group: typer.Typer, part: str, what: str) -> None:
    def page(call: Call) -> None:
        found = call.client.admin.get(part)
        print_facts(call.printer, found)

    page.__doc__ = what
    declared(group, part.replace("_", "-"))(page)


def limits(call: Call) -> None:
    """Print the limits that hold, and what is used of them now."""
    found = call.client.admin.get("limits", **call.options)
    call.printer.one(found, lambda: facts(found["data"]))


def audit(
    call: Call,
    *,
    kind: Annotated[
        str | None, typer.Option("--type", help="Only acts of this type.", show_default=False)
    ] = None,
    most: Most = DEFAULT_MOST,
) -> None:
    """List who did what only admins and operators may, the newest first."""
    options = dict(call.options)
    if "since" in options:
        options["since"] = int(seconds_of(options["since"], time.time()))

    def line(found: JSON) -> str:
        when, actor = call.printer.moment(found["created_at"]), found["actor"]
        what = " ".join(f"{name}={value}" for name, value in found["data"].items())
        said = f"{when}  {found['tenant']}  {found['type']}  {what}  by {actor['user']}"
        # A user's name must not look like another act.
        return in_one_line(said)

    call.printer.listed(call.client.admin.iterate("audit", most, type=kind, **options), line)


def erasures(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List erasures: whose data, when, what became of them."""
    columns = (
        *plain("id", "tenant", "user", "status", "turns", "conversations"),
        moments(call.printer, "begun_at", "begun"),
        moments(call.printer, "finished_at", "finished"),
    )
    call.printer.many(call.client.admin.iterate("erasures", most, **call.options), columns)


def erase(
    call: Call,
    *,
    tenant: Annotated[str, typer.Option(help="The tenant whose data goes.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
) -> None:
    """Erase all that a tenant, or with --user one of its users, has, for ever."""
    body: JSON = {"tenant": tenant, **call.options}
    if dry_run:
        body["dry_run"] = True
    elif not yes:
        whose = body.get("user") or "all users"
        typer.confirm(f"Erase all turns and conversations of {whose} in {tenant}?", abort=True)
    found = call.client.admin.post("erasures", body)
    print_facts(call.printer, found)


def try_guard(
    call: Call, text: Annotated[str, typer.Argument(show_default=False)], *, fields: EachAnew = None
) -> None:
    """Try a text against the guard's policy in force; exit code 1 if it is refused."""
    body: JSON = {"check_type": "input", "input": text, **changed_fields(fields)}
    found = call.client.admin.post("guard/test", body)
    print_facts(call.printer, found)
    if not found["safe"]:
        raise typer.Exit(FAILED)


def list_keys(
    call: Call,
    *,
    status: Annotated[
        str | None, typer.Option(help="active, expired or revoked.", show_default=False)
    ] = None,
    most: Most = DEFAULT_MOST,
) -> None:
    """List keys, without their secrets."""
    columns = (
        *plain("id", "tenant", "user", "role", "scopes", "status", "label"),
        moments(call.printer, "created_at", "created"),
        moments(call.printer, "expires_at", "expires"),
    )
    found = call.client.admin.iterate("keys", most, status=status, **call.options)
    call.printer.many(found, columns)


def create_key(
    call: Call,
    *,
    user: Annotated[str, typer.Option(help="Who it speaks for.", show_default=False)],
    role: Annotated[str, typer.Option(help="user, admin or operator.")] = "user",
    label: Annotated[str, typer.Option(help="What you will know it by.")] = "",
    fields: EachAnew = None,
) -> None:
    """Make a key, and print it on the last line: it is shown only once."""
    given = {name: value for name, value in call.options.items() if value}
    expires = given.pop("expires", None)
    if expires is not None:
        given["expires_at"] = round(seconds_ahead(expires, time.time()))
    if label:
        given["label"] = label
    body: JSON = {"user": user, "role": role, **given, **changed_fields(fields)}
    found = call.client.admin.post("keys", body)
    call.printer.one(found, lambda: [f"{found['id']}  {user}  {role}", found["key"]])


def remove_key(call: Call, key: KeyArgument) -> None:
    """Make a key useless, for good and within seconds."""
    found = call.client.admin.delete(f"keys/{key}")
    call.printer.one(found, lambda: [f"{key}  revoked"])


def list_dead(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List dead letters: entries of the log without effect on the views."""
    found = call.client.admin.iterate("system/dead", most)
    call.printer.listed(found, lambda one: in_one_line("  ".join(facts(one))))


def retry_dead(
    call: Call, number: Annotated[int, typer.Argument(help="As the list has it.")]
) -> None:
    """Have the entry of a dead letter projected and delivered again."""
    found = call.client.admin.post(f"system/dead/{number}/retry", {})
    print_facts(call.printer, found)
