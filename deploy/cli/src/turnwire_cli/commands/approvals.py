"""`turnwire approvals …`: calls of tools that wait for a person's word."""

from typing import Annotated, TypeAlias

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.ids import DEFAULT_MOST, Most
from turnwire_cli.objects import moments, plain, response_lines
from turnwire_cli.panels import ACT

_Approval: TypeAlias = Annotated[
    str, typer.Argument(metavar="APPROVAL", help="As the list has it.", show_default=False)
]
_Reason: TypeAlias = Annotated[str, typer.Option(help="Why; the model is told.")]


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="approvals", no_args_is_help=True, help="Approve or deny calls of tools that wait."
    )
    app.add_typer(group, rich_help_panel=ACT)
    declared(group, "ls")(list_approvals)
    declared(group, "approve")(approve)
    declared(group, "deny")(deny)


def list_approvals(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List calls that wait for approval, with their arguments."""
    columns = (
        *plain("id"),
        moments(call.printer, "created_at", "since"),
        *plain("server_label", "name", "arguments", "response_id"),
    )
    call.printer.many(call.client.approvals.iterate(most), columns)


def approve(call: Call, approval: _Approval, *, reason: _Reason = "") -> None:
    """Let a call be made; the turn goes on."""
    _decide(call, approval, reason, approves=True)


def deny(call: Call, approval: _Approval, *, reason: _Reason = "") -> None:
    """Refuse a call; the turn goes on, and the model is told."""
    _decide(call, approval, reason, approves=False)


def _decide(call: Call, approval: str, reason: str, *, approves: bool) -> None:
    found = call.client.approvals.decide(approval, approve=approves, reason=reason)
    word = "approved" if approves else "denied"
    goes_on = found if found.get("object") == "response" else None
    call.printer.one(
        found,
        lambda: [
            f"{approval}  {word}",
            *(response_lines(call.printer, goes_on) if goes_on else ()),
        ],
    )
