"""`turnwire replay`, `export` and `import`: logs told step by step, and as files."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.exit_codes import BAD_INPUT, FAILED, NOT_FOUND
from turnwire_cli.panels import DEBUG
from turnwire_cli.printing import JSON, Printer

if TYPE_CHECKING:
    from turnwire_cli.replaying.event_view import EventView
    from turnwire_cli.replaying.folding import FoldDifference
    from turnwire_cli.replaying.log_file import LogEntry


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    declared(app, "replay", panel=DEBUG, server="read")(replay)
    declared(app, "export", panel=DEBUG, server="read")(export)
    declared(app, "import", panel=DEBUG)(import_log)


def replay(
    call: Call,
    id_: Annotated[
        str | None, typer.Argument(metavar="[RESPONSE|CONVERSATION]", help="resp_… or conv_….")
    ] = None,
    *,
    from_file: Annotated[
        Path | None, typer.Option(help="Read an exported log; no server is asked.")
    ] = None,
    until: Annotated[int | None, typer.Option(help="Stop behind this event of the log.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Another checkout: print the first difference of its fold from ours."),
    ] = None,
) -> None:
    """Tell a turn event by event with the state after each; at a terminal, step by step."""
    from turnwire_cli.replaying.conversation_views import (  # noqa: PLC0415 -- as for `log`
        conversation_event_views,
    )
    from turnwire_cli.replaying.turn_views import event_views  # noqa: PLC0415 -- as above

    entries = [
        each for each in _entries(call, id_, from_file) if until is None or each.sequence <= until
    ]
    if not entries:
        call.fail(f"The log has no events of {id_ or from_file} up to there.", NOT_FOUND)
    if against is not None:
        _compare(call, entries, against)
        return
    views: list[EventView] = []
    for one in _by_owner(entries):
        views += [*event_views(one), *conversation_event_views(one)]
    _tell(call.printer, views)


def export(
    call: Call,
    id_: Annotated[
        str | None,
        typer.Argument(metavar="[RESPONSE|CONVERSATION]", help="resp_… or conv_…; else --tenant."),
    ] = None,
    *,
    to: Annotated[Path | None, typer.Option("--to", help="The file; else <id>.jsonl.")] = None,
    tenant: Annotated[
        bool, typer.Option("--tenant", help="All that the key may see: of an admin, the tenant's.")
    ] = False,
) -> None:
    """Write the log of a turn, a conversation or a tenant into a file with a checksum.

    Secrets are in none: the server tells no client the credentials of tools.
    """
    from turnwire_cli.replaying import log_file  # noqa: PLC0415 -- as for `log`
    from turnwire_cli.replaying.export import NotAnIdError, export_of  # noqa: PLC0415 -- as above

    if (id_ is None) is not tenant:
        call.fail("Say which one: resp_…, conv_…, or --tenant for all.", BAD_INPUT)
    try:
        heading, lines = export_of(call.client, id_ or "")
    except NotAnIdError as error:
        call.fail(str(error), BAD_INPUT)
    place = to or Path(f"{id_ or 'tenant'}.jsonl")
    written = log_file.write(place, heading, lines)
    found = {"file": str(place), "kind": heading.kind, "id": heading.id, "entries": written}
    call.printer.one(found, lambda: [f"{place}: {written} entries"])


def import_log(
    call: Call,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="An exported log.", show_default=False)
    ] = None,
    *,
    into: Annotated[
        Path | None, typer.Option(help="Keep it there as a regression test, with its fold of now.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Fold all logs of this folder again, and compare.")
    ] = None,
) -> None:
    """Verify an exported log; keep it as a regression test, or run those that were kept."""
    from turnwire_cli.replaying import log_file, regressions  # noqa: PLC0415 -- as for `log`
    from turnwire_cli.replaying.folding import CannotFoldError  # noqa: PLC0415 -- as above

    if (file is None) is (check is None):
        call.fail("Name a file, or a folder with --check.", BAD_INPUT)
    try:
        if check is not None:
            _check(call, list(regressions.compare(check)))
            return
        place = Path(str(file))
        found = log_file.read(place)
        if into is not None:
            place, found = regressions.keep(place, into)
    except (log_file.UnreadableLogError, regressions.RegressionError) as error:
        call.fail(str(error), BAD_INPUT)
    except CannotFoldError as error:
        call.fail(str(error), FAILED)
    verified = found.heading is not None
    said: JSON = {
        "file": str(place),
        "verified": verified,
        "events": len(found.entries),
        "ids": found.owners,
    }
    note = "its checksum is right" if verified else "it has no checksum"
    call.printer.one(said, lambda: [f"{place}: {len(found.entries)} events; {note}", *found.owners])


def _entries(call: Call, id_: str | None, from_file: Path | None) -> "Sequence[LogEntry]":
    from turnwire_cli.replaying import log_file  # noqa: PLC0415 -- as for `log`
    from turnwire_cli.replaying.export import NotAnIdError, export_of  # noqa: PLC0415 -- as above

    if from_file is not None:
        try:
            found = log_file.read(from_file)
        except log_file.UnreadableLogError as error:
            call.fail(str(error), BAD_INPUT)
        return found.entries if id_ is None else found.of(id_)
    if id_ is None:
        call.fail("Say which one: resp_… or conv_…, or name a file: --from-file.", BAD_INPUT)
    try:
        _, lines = export_of(call.client, id_)
    except NotAnIdError as error:
        call.fail(str(error), BAD_INPUT)
    return [each for each in lines if not isinstance(each, dict)]


def _by_owner(entries: "Iterable[LogEntry]") -> "Iterable[list[LogEntry]]":
    from turnwire_cli.replaying.log_file import owner_of  # noqa: PLC0415 -- as for `log`

    found: dict[str, list[LogEntry]] = {}
    for each in entries:
        found.setdefault(owner_of(each.event), []).append(each)
    return found.values()


def _tell(printer: Printer, views: "Sequence[EventView]") -> None:
    if not printer.is_text:
        printer.many([_object(each) for each in views], ())
        return
    steps = sys.stdin.isatty() and sys.stdout.isatty()
    for number, view in enumerate(views):
        facts = (f"    {each}" for each in view.facts)
        for line in (
            view.heading,
            *facts,
            f"  → {view.state}",
            f"  → next: {view.next_step}",
        ):
            printer.line(line)
        if steps and number + 1 < len(views):
            printer.text(f"[{number + 1} of {len(views)}; Enter goes on, ^C ends] ")
            sys.stdin.readline()


def _object(view: "EventView") -> JSON:
    import msgspec  # noqa: PLC0415 -- as for `log`

    return {
        "sequence": view.sequence,
        "kind": view.kind,
        "event": msgspec.to_builtins(view.event),
        "state": view.state,
        "next": view.next_step,
    }


def _compare(call: Call, entries: "Sequence[LogEntry]", checkout: Path) -> None:
    from turnwire_cli.replaying.folding import (  # noqa: PLC0415 -- as for `log`
        CannotFoldError,
        first_difference,
        folded,
    )

    try:
        found = first_difference(folded(entries), folded(entries, checkout))
    except CannotFoldError as error:
        call.fail(str(error), FAILED)
    said = _difference_object(found)
    said = {"checkout": str(checkout), "events": len(entries), "difference": said or None}
    call.printer.one(said, lambda: _difference_lines(found, len(entries)))
    if found is not None:
        raise typer.Exit(FAILED)


def _check(call: Call, found: "Sequence[tuple[Path, FoldDifference | None]]") -> None:
    objects = [
        {"file": str(path), "difference": _difference_object(each) or None} for path, each in found
    ]

    def lines() -> Iterable[str]:
        for path, each in found:
            yield f"{path}: {'the same' if each is None else 'differs'}"
            if each is not None:
                yield from (f"  {line}" for line in _difference_lines(each, 0))

    call.printer.one(objects, lines)
    if any(each is not None for _, each in found):
        raise typer.Exit(FAILED)


def _difference_object(found: "FoldDifference | None") -> dict[str, Any]:
    if found is None:
        return {}
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _difference_lines(found: "FoldDifference | None", events: int) -> list[str]:
    if found is None:
        return [f"{events} events: both folds agree after each"]
    return [
        f"first difference after event #{found.sequence} ({found.kind}) of {found.id}:",
        f"  at     {found.path}",
        f"  here   {found.here}",
        f"  there  {found.there}",
    ]
