"""`turnwire responses …`."""

import time
from typing import Annotated, Final

import typer

from turnwire_cli.calling import Call, declared, option
from turnwire_cli.commands.asking import end, streamed
from turnwire_cli.commands.ids import (
    DEFAULT_MOST,
    EachAnew,
    Most,
    ResponseArgument,
    ResponsesArgument,
)
from turnwire_cli.exit_codes import FAILED
from turnwire_cli.objects import (
    changed_fields,
    difference_lines,
    print_facts,
    response_columns,
    response_lines,
    seconds_of,
)
from turnwire_cli.panels import LOOK
from turnwire_cli.printing import JSON

FILTERS: Final = (
    option(
        "status",
        str | None,
        None,
        help_="queued, in_progress, completed, incomplete, failed, cancelled.",
    ),
    option("model", str | None, None, help_="That asked for this model."),
    option("application", str | None, None, help_="Made under this x-application-id."),
    option("conversation", str | None, None, help_="Of this conversation: conv_…."),
    option("tool", str | None, None, help_="In which this tool was called."),
    option("guard", str | None, None, help_="What the guard said: none, passed, blocked."),
    option("error_code", str | None, None, "--code", help_="That failed with this code."),
    option(
        "created_from", str | None, None, "--from", help_="Made then or later: 30m, 12h, 7d ago."
    ),
    option("created_to", str | None, None, "--to", help_="Made then or before: 2026-11-27T08:00."),
    option("background", bool | None, None, help_="Only background responses, or none of them."),
    option("owner", str | None, None, help_="Of this user; admins only."),
    option("tenant", str | None, None, help_="Of this tenant; operators only."),
    option("search", str | None, None, help_="Whose text has these words; slow, it reads content."),
    option("order", str | None, None, help_="desc: the newest first; asc."),
)
_MOMENTS: Final = {"created_from", "created_to"}
_CHANGES: Final = (
    option("model", str | None, None, help_="Another model."),
    option("instructions", str | None, None, help_="Other instructions."),
    option("input", str | None, None, help_="Another input."),
)


def declare(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        name="responses", no_args_is_help=True, help="List, read, watch, end, fork, compare."
    )
    app.add_typer(group, rich_help_panel=LOOK)
    declared(group, "ls", options=FILTERS, server="read")(list_responses)
    declared(group, "get", server="read")(get)
    declared(group, "watch", server="read")(watch)
    declared(group, "wait", server="read")(wait)
    declared(group, "cancel")(cancel)
    declared(group, "rm")(remove)
    declared(group, "fork", options=_CHANGES)(fork)
    declared(group, "rerun", options=_CHANGES)(rerun)
    declared(group, "diff", server="read")(diff)
    declared(group, "state", server="read")(state)
    declared(group, "timeline", server="read")(timeline)
    declared(group, "prompt", server="read")(prompt)


def list_responses(call: Call, *, most: Most = DEFAULT_MOST) -> None:
    """List responses, the newest first: summaries without content."""
    now, options = time.time(), dict(call.options)
    for name in _MOMENTS & options.keys():
        options[name] = seconds_of(options[name], now)
    found = call.client.responses.iterate(most, **options)
    call.printer.many(found, response_columns(call.printer))


def get(
    call: Call,
    response: ResponseArgument,
    *,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Also if deleted; admins only.")
    ] = False,
) -> None:
    """Print a response as it is now."""
    found = call.client.responses.get(response, include_deleted=deleted or None)
    call.printer.one(found, lambda: response_lines(call.printer, found))


def watch(
    call: Call,
    response: ResponseArgument,
    *,
    after: Annotated[
        int | None, typer.Option(min=0, help="Only events behind this sequence_number.")
    ] = None,
) -> None:
    """Print the stream of a response until its end, over as many connections as it takes."""
    end(call, streamed(call, call.client.responses.resume(response, after=after)))


def wait(
    call: Call,
    response: ResponseArgument,
    *,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds; without it, no end.")
    ] = None,
) -> None:
    """Wait until a response has ended, and print it; exit code 1 if it has failed."""
    found = call.client.responses.wait(response, timeout_s=timeout)
    call.printer.one(found, lambda: response_lines(call.printer, found))
    if found["status"] in {"failed", "cancelled"}:
        raise typer.Exit(FAILED)


def cancel(call: Call, responses: ResponsesArgument) -> None:
    """Cancel background responses."""
    for each in responses:
        found = call.client.responses.cancel(each)
        call.printer.one(found, lambda found=found: [f"{found['id']}  {found['status']}"])


def remove(call: Call, responses: ResponsesArgument) -> None:
    """Delete responses; an admin can restore them."""
    for each in responses:
        found = call.client.responses.delete(each)
        call.printer.one(found, lambda found=found: [f"{found['id']}  deleted"])


def fork(
    call: Call,
    response: ResponseArgument,
    *,
    at: Annotated[
        int | None, typer.Option(help="The event to fork behind, as `turnwire log` numbers them.")
    ] = None,
    fields: EachAnew = None,
) -> None:
    """Begin a new response at an event of another one, with what is to be different."""
    changes = {**_changes(call, fields), **({} if at is None else {"at": at})}
    end(call, streamed(call, call.client.responses.stream_fork(response, changes)))


def rerun(call: Call, response: ResponseArgument, *, fields: EachAnew = None) -> None:
    """Ask the same once more, with what is to be different."""
    changes = _changes(call, fields)
    end(call, streamed(call, call.client.responses.stream_rerun(response, changes)))


def diff(
    call: Call,
    response: ResponseArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="resp_…")],
) -> None:
    """Compare two responses; exit code 1 if they say or ask anything different."""
    found: JSON = call.client.responses.diff(response, other)
    differences = [*difference_lines(found)]
    call.printer.one(found, lambda: differences or ["both say the same"])
    if differences:
        raise typer.Exit(FAILED)


def state(
    call: Call,
    response: ResponseArgument,
    *,
    at: Annotated[
        int | None, typer.Option(help="After this event of the log; else the last.")
    ] = None,
) -> None:
    """Print what the events of a response add up to."""
    print_facts(call.printer, call.client.responses.state(response, at))


def timeline(call: Call, response: ResponseArgument) -> None:
    """Print where the time of a response went, who drove it, what was tried again."""
    print_facts(call.printer, call.client.responses.timeline(response))


def prompt(
    call: Call,
    response: ResponseArgument,
    *,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Which of its questions to the model; else the last.")
    ] = None,
) -> None:
    """Print what the model was really sent."""
    print_facts(call.printer, call.client.responses.prompt(response, sample=sample))


def _changes(call: Call, fields: list[str] | None) -> JSON:
    return {**call.options, **changed_fields(fields)}
