"""`turnwire approvals …`: calls of tools that wait for a person's word."""

from typing import Annotated, TypeAlias

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.ids import DEFAULT_MOST, EachAnew, Most
from turnwire_cli.objects import changed_fields, moments, plain, response_lines
from turnwire_cli.panels import ACT
from turnwire_cli.printing import JSON

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


def approve(call: Call, approval: _Approval, *, fields: EachAnew = None) -> None:
    """Let a call be made, and print the response that goes on."""
    changes = changed_fields(fields)
    _show(call, call.client.approvals.decide(approval, approve=True, changes=changes))


def deny(call: Call, approval: _Approval, *, reason: _Reason = "", fields: EachAnew = None) -> None:
    """Refuse a call, and print the response that goes on; the model is told."""
    changes = changed_fields(fields)
    decide = call.client.approvals.decide
    _show(call, decide(approval, approve=False, reason=reason, changes=changes))


def _show(call: Call, response: JSON) -> None:
    call.printer.one(response, lambda: response_lines(call.printer, response))
