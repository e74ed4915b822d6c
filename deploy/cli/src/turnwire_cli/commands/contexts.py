"""`turnwire context …`: servers by name, with their keys."""

import sys
from dataclasses import replace
from typing import Annotated

import typer

from turnwire_cli import contexts
from turnwire_cli.calling import Call, declared
from turnwire_cli.contexts import ContextFile, ServerContext
from turnwire_cli.objects import plain
from turnwire_cli.panels import SERVERS
from turnwire_cli.printing import JSON

_ENDING = 4


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="context", no_args_is_help=True, help="Servers by name, in a file that only you read."
    )
    app.add_typer(group, rich_help_panel=SERVERS)
    declared(group, "add", server="none")(add)
    declared(group, "use", server="none")(use)
    declared(group, "ls", server="none")(list_contexts)
    declared(group, "rm", server="none")(remove)


def add(
    call: Call,
    name: Annotated[str, typer.Argument(show_default=False)],
    *,
    url: Annotated[str, typer.Option(help="Its address, with /v1.", show_default=False)],
    key_from: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            help="The key; - reads standard input; asked for at a terminal if not said.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Name a server, or change what it is; the first becomes the one that is used."""
    if not url.startswith(("http://", "https://")):
        raise contexts.BadContextError(f"{url} is no address: http://… or https://…, with /v1")
    file = contexts.read(contexts.place())
    file.contexts[name] = ServerContext(url.rstrip("/"), _key(key_from))
    _write(call, replace(file, current=file.current or name), name)


def use(call: Call, name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """Have a context used where none is said."""
    file = contexts.read(contexts.place())
    file.get(name)
    _write(call, replace(file, current=name), name)


def list_contexts(call: Call) -> None:
    """List all contexts; of the keys, their ends."""
    file = contexts.read(contexts.place())
    found = [_shown(file, name) for name in file.contexts]
    call.printer.many(found, plain("name", "current", "url", "api_key"))


def remove(call: Call, name: Annotated[str, typer.Argument(show_default=False)]) -> None:
    """Forget a context and its key."""
    file = contexts.read(contexts.place())
    file.get(name)
    left = {each: one for each, one in file.contexts.items() if each != name}
    current = "" if file.current == name else file.current
    contexts.write(contexts.place(), ContextFile(left, current))
    call.printer.one({"name": name, "removed": True}, lambda: [f"{name}  removed"])


def _write(call: Call, file: ContextFile, name: str) -> None:
    contexts.write(contexts.place(), file)
    shown = _shown(file, name)
    used = "  (used)" if shown["current"] else ""
    call.printer.one(shown, lambda: [f"{name}  {shown['url']}{used}"])


def _shown(file: ContextFile, name: str) -> JSON:
    one = file.get(name)
    ending = f"…{one.api_key[-_ENDING:]}" if one.api_key else ""
    return {"name": name, "current": name == file.current, "url": one.url, "api_key": ending}


def _key(said: str | None) -> str:
    if said == "-" or (said is None and not sys.stdin.isatty()):
        return sys.stdin.readline().strip()
    if said is None:
        return typer.prompt("API key", default="", hide_input=True, show_default=False)
    return said
