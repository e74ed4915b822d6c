"""`turnwire log`: what a turn did, afterwards or while it does it; and all turns, live."""

import inspect
import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.commands.responses import FILTERS
from turnwire_cli.exit_codes import BAD_INPUT
from turnwire_cli.panels import LOOK
from turnwire_cli.printing import JSON

_LOOK_EVERY_S: Final = 1.0
_LATE_S: Final = 60.0
"""Lists follow the log; what comes into them so much later is still found."""
_ALL: Final = "tail"
_OF_TAIL: Final = {"model", "application", "conversation", "background", "owner"}
_OPTIONS: Final[tuple[inspect.Parameter, ...]] = tuple(
    each for each in FILTERS if each.name in _OF_TAIL
)
_RUNNING: Final = frozenset({"queued", "in_progress"})


def declare(app: typer.Typer) -> None:
    """Add the command."""
    declared(app, "log", panel=LOOK, options=_OPTIONS, server="read")(log)


def log(
    call: Call,
    response: Annotated[
        str,
        typer.Argument(metavar="RESPONSE|tail", help="resp_…; or tail: all, as they happen."),
    ],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, until the end.")
    ] = False,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Print events of this kind only; may be repeated."),
    ] = None,
    since: Annotated[
        float, typer.Option(help="tail: begin with responses made so many seconds ago.")
    ] = 0.0,
) -> None:
    """Tell what a turn did: events, owners, takeovers, tools, durations, its end and the cause.

    `log tail` prints the events of all responses as they happen, until ^C; it looks once a second.
    --model, --application, --conversation, --background and --owner choose among them. An admin
    sees the whole tenant's; an operator says --in-tenant. What is read of others is noted there.
    """
    shown = frozenset(types or ())
    if response == _ALL:
        _tail(call, shown, since)
    elif call.options:
        call.fail("--model and its like are for: turnwire log tail", BAD_INPUT)
    else:
        _log(call, response, shown, follow=follow)


def _log(call: Call, response: str, shown: frozenset[str], *, follow: bool) -> None:
    # Loads the events' definitions, which `--help` does not need.
    from turnwire_cli.turns import timeline_reader  # noqa: PLC0415 -- see above

    reader, printer = timeline_reader.TimelineReader(response), call.printer
    routes = call.client.responses
    for logged in routes.follow(response) if follow else routes.events(response):
        line = reader.take(logged)
        if shown and line.type not in shown:
            continue
        if printer.is_text:
            printer.line(timeline_reader.event_text(line, printer.moment))
        elif follow:
            printer.each([timeline_reader.event_object(line)], str)
    if printer.is_text:
        for text in timeline_reader.summary(reader.timeline):
            printer.line(text)
    elif not follow:
        lines = [each for each in reader.lines if not shown or each.type in shown]
        printer.one(timeline_reader.log_object(reader.timeline, lines), list)


def _tail(call: Call, shown: frozenset[str], since: float) -> None:
    call.printer.remark("Waiting for events; ^C ends it.")
    for found in _events(call, time.time() - since):
        if not shown or found["type"] in shown:
            call.printer.each(
                [found],
                lambda one: (
                    f"{call.printer.moment(one['created_at'])}  {one['response_id']}  "
                    f"{one['type'].replace('_', ' ')}"
                ),
            )


def _events(call: Call, since: float) -> Iterator[JSON]:
    """Give events of responses that were made since then, for ever."""
    read: dict[str, int] = {}
    ended: set[str] = set()
    while True:
        made = list(
            call.client.responses.iterate(None, **call.options, created_from=since, order="asc")
        )
        for response in made:
            response_id = response["id"]
            if response_id in ended:
                continue
            if response["status"] not in _RUNNING:
                ended.add(response_id)
            for logged in _kept(call, response_id, read.get(response_id, 0)):
                read[response_id] = logged["sequence"]
                yield {**logged, "response_id": response_id}
        since = _window(made, since)
        found = {response["id"] for response in made}
        read = {each: sequence for each, sequence in read.items() if each in found}
        ended &= found
        time.sleep(_LOOK_EVERY_S)


def _kept(call: Call, response_id: str, after: int) -> Iterator[JSON]:
    """Give the events of a response; none where they are gone, as those that are not stored."""
    from turnwire_client import RefusedError  # noqa: PLC0415 -- loads the HTTP client

    try:
        yield from call.client.responses.events(response_id, after=after)
    except RefusedError as error:
        if error.code != "response_not_found":
            raise


def _window(made: list[JSON], since: float) -> float:
    """Give from when on responses are still of interest: those that run, and the newest."""
    running = [each["created_at"] for each in made if each["status"] in _RUNNING]
    latest = [made[-1]["created_at"] - _LATE_S] if made else []
    return max(since, min([*running, *latest], default=since))
