"""`turnwire conversations …`."""

from typing import Annotated

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.ids import DEFAULT_MOST, ConversationArgument, Most
from turnwire_cli.objects import item_line, moments, plain, print_facts, response_columns
from turnwire_cli.panels import LOOK
from turnwire_cli.printing import JSON


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="conversations", no_args_is_help=True, help="List, read, delete conversations."
    )
    app.add_typer(group, rich_help_panel=LOOK)
    declared(group, "ls", server="read")(list_conversations)
    declared(group, "get", server="read")(get)
    declared(group, "items", server="read")(items)
    declared(group, "responses", server="read")(responses)
    declared(group, "rm")(remove)


def list_conversations(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List conversations, the newest first."""
    columns = (
        *plain("id"),
        moments(call.printer, "created_at", "created"),
        moments(call.printer, "updated_at", "updated"),
        ("metadata", _metadata),
    )
    call.printer.many(call.client.conversations.iterate(most), columns)


def get(call: Call, conversation: ConversationArgument) -> None:
    """Print a conversation."""
    found = call.client.conversations.get(conversation)
    print_facts(call.printer, found)


def items(call: Call, conversation: ConversationArgument, *, most: Most = DEFAULT_MOST) -> None:
    """Print what was said in a conversation, the oldest first."""
    found = call.client.conversations.items(conversation, most, order="asc")
    call.printer.listed(found, item_line)


def responses(call: Call, conversation: ConversationArgument) -> None:
    """List all responses of a conversation; branches lie beside each other."""
    columns = (*response_columns(call.printer), *plain("depth"))
    call.printer.many(call.client.conversations.responses(conversation), columns)


def remove(
    call: Call,
    conversations: Annotated[
        list[str], typer.Argument(metavar="CONVERSATION...", help="conv_…", show_default=False)
    ],
) -> None:
    """Delete conversations with their responses; an admin can restore them."""
    for each in conversations:
        found = call.client.conversations.delete(each)
        call.printer.one(found, lambda found=found: [f"{found['id']}  deleted"])


def _metadata(found: JSON) -> str:
    said: dict[str, str] = found.get("metadata") or {}
    return " ".join(f"{name}={value}" for name, value in said.items())
