"""`turnwire models`, `health`, `explain` and `bundle`: what the server is, and what it says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.errors import said_of, without_links
from turnwire_cli.exit_codes import NOT_FOUND
from turnwire_cli.objects import plain, print_facts
from turnwire_cli.panels import DEBUG, LOOK
from turnwire_cli.printing import JSON

_BUNDLED_RESPONSES: Final = 100
_CONTENT: Final = frozenset(
    {
        *("input", "output", "instructions", "params", "items", "abandoned", "cuts", "runs"),
        *("violations", "message", "owner", "application", "traceparent", "metadata", "fields"),
    }
)
"""Members that say what users or models said, or who they are; a bundle has none of them."""
_PLAIN: Final = frozenset(
    {
        *("id", "object", "type", "status", "model", "tools", "guard", "code", "error_code"),
        *("incomplete_reason", "reason", "cause", "conversation", "previous_response_id"),
        *("response_id", "continues", "rerun_of", "item_id", "item_ids", "screened", "server"),
        *("version", "api", "dialect", "prompt", "unavailable"),
    }
)
"""Members whose texts a bundle has of responses and their logs; of any other text it has the
length. `prompt` is a digest."""


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    declared(app, "models", panel=LOOK)(models)
    declared(app, "health", panel=LOOK)(health)
    declared(app, "explain", panel=DEBUG, server="none")(explain)
    declared(app, "bundle", panel=DEBUG)(bundle)


def models(call: Call) -> None:
    """List the models that the backends serve."""
    call.printer.many(call.client.models(), plain("id", "owned_by"))


def health(call: Call) -> None:
    """Tell how the server and its parts are; needs no key."""
    found = call.client.health()
    print_facts(call.printer, found)


def explain(
    call: Call,
    code: Annotated[
        str | None, typer.Argument(help="A code, as error messages have it; all if not said.")
    ] = None,
) -> None:
    """Tell what an error's code means and what to do; asks no server."""
    # Loads the catalogue, which `--help` does not need.
    from turnwire_contracts.errors.catalogue import CATALOGUE  # noqa: PLC0415 -- see above

    rows = [_explained(row) for row in CATALOGUE.values()]
    if code is None:
        call.printer.many(
            sorted(rows, key=lambda row: row["code"]), plain("code", "status", "what")
        )
        return
    found = next((row for row in rows if row["code"] == code), None)
    if found is None:
        from difflib import get_close_matches  # noqa: PLC0415 -- only for a misspelt code

        near = get_close_matches(code, CATALOGUE, n=1)
        also = f" Did you mean {near[0]}?" if near else " All codes: turnwire explain"
        call.fail(f"There is no error with the code {code}.{also}", NOT_FOUND)
    call.printer.one(found, lambda: _explanation(found))


def bundle(
    call: Call,
    *,
    to: Annotated[Path, typer.Option("--to", help="The file.")] = Path("turnwire-bundle.zip"),
    response: Annotated[
        list[str] | None,
        typer.Option("--response", "-r", help="Also the log of this response; may be repeated."),
    ] = None,
) -> None:
    """Write what support needs into a zip file: versions, health, lists, logs; no content.

    Nothing in it says what users or models said, who they are, or any key.
    """
    client = call.client
    parts: dict[str, Callable[[], Any]] = {
        "command.json": _command,
        "health.json": client.health,
        "models.json": client.models,
        "system.json": lambda: client.admin.get("system"),
        "limits.json": lambda: client.admin.get("limits"),
    }
    turns: dict[str, Callable[[], Any]] = {
        "responses.json": lambda: list(client.responses.iterate(_BUNDLED_RESPONSES))
    }
    for each in response or ():
        turns[f"log-{each}.json"] = lambda each=each: list(client.responses.events(each))
    contents = {name: without_members(_attempted(part)) for name, part in parts.items()}
    contents |= {name: without_content(_attempted(part)) for name, part in turns.items()}
    # Slow to load, and only this needs it.
    import zipfile  # noqa: PLC0415 -- see above

    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, found in contents.items():
            archive.writestr(name, json.dumps(found, indent=2))
    said = {"file": str(to), "parts": [*contents]}
    call.printer.one(said, lambda: [f"{to}: {', '.join(contents)}"])


def without_content(found: Any, name: str = "") -> Any:
    """Give what is told of turns without what is content; in its place, how much there was.

    Of texts, those in members that are known to be none are kept: what is new is no leak.
    """
    match found:
        case str():
            return found if name in _PLAIN else _size(found)
        case dict():
            members = cast("JSON", found)
            return {
                each: _size(value) if each in _CONTENT else without_content(value, each)
                for each, value in members.items()
            }
        case list():
            return [without_content(each, name) for each in cast("list[Any]", found)]
        case _:
            return found


def without_members(found: Any) -> Any:
    """Give what is told of the deployment without the members that are content."""
    match found:
        case dict():
            members = cast("JSON", found)
            return {
                each: _size(value) if each in _CONTENT else without_members(value)
                for each, value in members.items()
            }
        case list():
            return [without_members(each) for each in cast("list[Any]", found)]
        case _:
            return found


def _size(value: Any) -> Any:
    return f"<{len(cast('str', value))}>" if isinstance(value, str | list | dict) else value


def _attempted(part: Callable[[], Any]) -> Any:
    """Get a part; one that cannot be had says why, as that may be what support looks for."""
    try:
        return part()
    except Exception as error:
        said = said_of(error)
        if said is None:
            raise
        return {"unavailable": str(said.facts.get("code") or type(error).__name__)}


def _command() -> JSON:
    import platform  # noqa: PLC0415 -- as for zipfile
    from importlib.metadata import version  # noqa: PLC0415 -- as for zipfile

    return {
        "turnwire": version("turnwire-cli"),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def _explained(row: Any) -> JSON:
    return {
        "code": row.code,
        "status": row.status if row.statuses else None,
        "type": row.type,
        "what": row.what,
        "way_out": without_links(row.way_out),
        "retryable": row.retryable,
        "turn_exists": row.turn_exists,
        "instead": row.instead,
    }


def _explanation(found: JSON) -> list[str]:
    where = f"HTTP {found['status']}" if found["status"] else found["instead"]
    again = "The same request may succeed later." if found["retryable"] else ""
    lines = [f"{found['code']}  ({where})", f"  {found['what']}"]
    lines += [f"  what to do: {found['way_out']}"] if found["way_out"] else []
    lines += [f"  {again}"] if again else []
    return lines
