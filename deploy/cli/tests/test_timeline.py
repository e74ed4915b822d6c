"""A turn's timeline: what is made of its events, the end and the cause among them."""

from typing import Any

from turnwire_cli.turns.event_line import EventLine
from turnwire_cli.turns.timeline import TurnTimeline
from turnwire_cli.turns.timeline_reader import TimelineReader, log_object, summary
from turnwire_contracts.event_kinds import kind_of
from turnwire_contracts.events import AnyEvent, Failure
from turnwire_testing.examples import (
    RESPONSE_ID,
    cancel_requested,
    closed,
    mcp_call,
    message,
    purged,
    requested,
    sampled,
    screened,
    taken_over,
    tool_called,
    tool_returned,
)

HEADING = {"v", "tenant", "response_id", "at", "cause"}


def logged(sequence: int, event: AnyEvent) -> dict[str, Any]:
    """Write an event as the API tells it."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return {
        "sequence": sequence,
        "type": kind_of(event),
        "version": event.v,
        "created_at": event.at / 1000,
        "cause": event.cause,
        "data": {name: value for name, value in fields.items() if name not in HEADING},
    }


def read(*events: AnyEvent) -> TimelineReader:
    """Read the timeline of these events, half a second apart."""
    reader = TimelineReader(RESPONSE_ID)
    for number, event in enumerate(events):
        told = logged(7 + number, event)
        reader.take({**told, "created_at": 1000 + number / 2})
    return reader


def timeline_of(*events: AnyEvent) -> TurnTimeline:
    """Give what is known after these events."""
    return read(*events).timeline


def test_the_servers_that_answered_are_told_once_each_in_their_order() -> None:
    samples = [sampled(server=name) for name in ("left", "right", "left", None)]
    reader = read(requested(), *samples)
    assert "  answered by: left, right" in [*summary(reader.timeline)]
    assert log_object(reader.timeline, [])["backends"] == ["left", "right"]
    assert not [each for each in summary(timeline_of(requested(), closed())) if "answered" in each]


def test_a_takeover_says_how_long_nothing_happened_and_what_stays() -> None:
    timeline = timeline_of(
        requested(), taken_over(cause="9-a:2", abandoned=[message("half ")]), closed()
    )
    (takeover,) = timeline.takeovers
    assert (takeover.by, takeover.silent_s, takeover.shown_characters) == ("9-a:2", 0.5, 5)
    assert "  owners: 2, of which 1 died or fell silent" in [*summary(timeline)]
    assert (timeline.status, timeline.duration_s) == ("completed", 1.0)


def test_a_call_of_a_tool_has_its_name_its_time_and_what_became_of_it() -> None:
    call = mcp_call()
    about = {"item_id": call["id"]}
    before = (requested(), sampled(output=[call]), tool_called(item_ids=[call["id"]]))
    running = timeline_of(*before)
    assert [tool.outcome for tool in running.tools.values()] == ["running"]
    (done,) = timeline_of(*before, tool_returned(**about, output="3")).tools.values()
    assert (done.name, done.outcome, done.duration_s) == (call["name"], "ok", 0.5)
    (failed,) = timeline_of(*before, tool_returned(**about, error={"type": "e"})).tools.values()
    assert failed.outcome == "failed"


def test_the_end_says_why() -> None:
    failure = Failure(http_status=502, type="server_error", code="backend_error", message="gone")
    failed = timeline_of(requested(), closed(status="failed", failure=failure))
    assert [*summary(failed)][1] == "  cause: backend_error: gone"
    cut = timeline_of(
        requested(), closed(status="incomplete", incomplete_reason="max_output_tokens")
    )
    assert cut.end is not None
    assert cut.end.code == "max_output_tokens"
    left = timeline_of(
        requested(), cancel_requested(reason="client_left"), closed(status="cancelled")
    )
    assert "  ended by: its client left" in [*summary(left)]
    assert timeline_of(requested()).status == "in_progress"
    assert timeline_of(purged()).status == "purged"
    refused = read(requested(screen=True), screened(violations=[{"category": "pii"}]))
    assert refused.lines[-1].text == "the guard refused: pii"


def test_an_event_of_a_newer_server_is_told_by_its_name() -> None:
    reader = TimelineReader(RESPONSE_ID)
    reader.take({**logged(7, requested()), "created_at": 1000})
    strange = {"sequence": 8, "type": "teleported", "version": 1, "created_at": 1001, "cause": "c"}
    line = reader.take({**strange, "data": {}})
    assert isinstance(line, EventLine)
    assert (line.type, line.after_s) == ("teleported", 1)
    assert "does not know" in line.text
    assert [each["type"] for each in log_object(reader.timeline, reader.lines)["events"]] == [
        "requested",
        "teleported",
    ]
