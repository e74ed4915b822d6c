"""`/v1/responses/{response_id}/timeline`: where a turn's time went, and nothing that is guessed."""

from datetime import UTC, datetime
from typing import Any

from turnwire_chassis.event_log import Recorded
from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.inspecting.timeline import timeline
from turnwire_testing import examples
from turnwire_testing.examples import AT, mcp_call
from turnwire_testing.gateway import Api, error_of

UNTOLD = dict.fromkeys(
    (
        *("queued_ms", "guard_ms", "history_ms", "first_token_ms", "tokens_ms", "tools_ms"),
        *("append_ms", "delivery_ms"),
    )
)


def told(*events: AnyEvent) -> JSON:
    """Write the timeline of a turn."""
    recorded = [Recorded(sequence, event) for sequence, event in enumerate(events, start=7)]
    return timeline(recorded, "completed")


def asked(at: int, first: int | None = None, **changes: Any) -> SampleRecord:
    """Tell of a sample by milliseconds since the request."""
    first_at = None if first is None else AT + first
    return SampleRecord("0.1.0", "responses", "plain", "digest", AT + at, first_at, **changes)


def test_a_turn_of_an_earlier_version_tells_what_its_events_do_and_no_more() -> None:
    written = told(examples.requested(), examples.closed(at=AT + 900))
    assert written["durations"] == UNTOLD
    assert (written["started_at"], written["total_ms"]) == (AT / 1000, 900)
    assert written["ended_at"] == (AT + 900) / 1000
    assert written["owners"] == [
        {"epoch": 1, "claim": None, "from": None, "until": (AT + 900) / 1000}
    ]
    (sample,) = written["spans"]
    assert (sample["kind"], sample["started_at"], sample["duration_ms"]) == ("sample", None, None)


def test_each_part_of_a_plain_turn_is_told() -> None:
    sample = asked(12, 212, taken_at=AT + 5, history_ms=3)
    written = told(
        examples.requested(screen=True),
        examples.screened(at=AT + 11),
        examples.closed(at=AT + 1000, sample=sample),
    )
    assert written["durations"] == {
        **UNTOLD,
        "queued_ms": 5,
        "guard_ms": 6,
        "history_ms": 3,
        "first_token_ms": 200,
        "tokens_ms": 788,
    }
    assert [span["kind"] for span in written["spans"]] == ["queue", "guard", "sample"]
    assert written["spans"][1]["outcome"] == "passed"
    assert (written["takeovers"], written["retries"]) == (0, 0)
    assert written["owners"][0]["from"] == (AT + 5) / 1000


def test_a_background_turn_waits_until_it_leaves_its_queue() -> None:
    written = told(
        examples.requested(background=True),
        examples.started(at=AT + 4000),
        examples.closed(at=AT + 5000),
    )
    assert written["durations"]["queued_ms"] == 4000


def test_calls_that_run_side_by_side_count_once() -> None:
    calls = [mcp_call(index, name=name) for index, name in enumerate(("slow", "quick"))]
    ids = [call["id"] for call in calls]
    written = told(
        examples.requested(),
        examples.sampled(at=AT + 100, output=calls, sample=asked(10, 20)),
        examples.tool_called(at=AT + 110, item_ids=ids),
        examples.tool_returned(at=AT + 150, item_id=ids[1], output=None, error={"type": "x"}),
        examples.tool_returned(at=AT + 310, item_id=ids[0]),
        examples.closed(at=AT + 400, sample=asked(315, 330)),
    )
    durations = written["durations"]
    assert (durations["tools_ms"], durations["first_token_ms"]) == (200, 10)
    assert durations["tokens_ms"] == 80 + 70
    named = [(each["name"], each["duration_ms"], each["failed"]) for each in written["tools"]]
    assert named == [("quick", 40, True), ("slow", 200, False)]
    assert written["tools"][0]["server_label"] == "docs"
    assert [span.get("sample") for span in written["spans"]] == [1, None, None, 2]


def test_owners_takeovers_and_calls_that_were_made_again_are_told() -> None:
    call = mcp_call()
    written = told(
        examples.requested(),
        examples.sampled(at=AT + 10, output=[call]),
        examples.tool_called(at=AT + 20, item_ids=[call["id"]]),
        examples.taken_over(at=AT + 5000, cause="owner-2"),
        examples.tool_called(at=AT + 5010, item_ids=[call["id"]]),
        examples.tool_returned(at=AT + 5100, item_id=call["id"]),
        examples.closed(at=AT + 6000, sample=asked(5110, 5200, taken_at=AT + 4990)),
    )
    assert (written["takeovers"], written["retries"]) == (1, 1)
    assert written["owners"] == [
        {"epoch": 1, "claim": None, "from": None, "until": (AT + 5000) / 1000},
        {"epoch": 2, "claim": "owner-2", "from": (AT + 5000) / 1000, "until": (AT + 6000) / 1000},
    ]
    # When the first owner took it is not told: the record is of the second.
    assert written["durations"]["queued_ms"] is None
    # The first sample left no record of when its first event came.
    assert written["durations"]["tokens_ms"] is None


async def test_a_turn_that_runs_has_no_end_yet(api: Api) -> None:
    api.log.busy = True
    promised = (await api.create(background=True)).json
    written = (await api.get(f"/v1/responses/{promised['id']}/timeline")).json
    assert (written["status"], written["ended_at"], written["total_ms"]) == ("queued", None, None)
    assert written["durations"] == UNTOLD


async def test_what_is_not_there_has_no_timeline(api: Api) -> None:
    exchange = await api.get(f"/v1/responses/resp_{'0' * 32}/timeline")
    assert error_of(exchange) == (404, "response_not_found")


def test_how_long_events_took_to_be_kept_is_summed_and_the_end_has_its_delivery() -> None:
    events = [examples.requested(), examples.closed(at=AT + 900)]
    kept = [as_the_broker_writes(AT + 2), as_the_broker_writes(AT + 907)]
    recorded = [Recorded(7, events[0], kept[0]), Recorded(9, events[1], kept[1])]
    durations = timeline(recorded, "completed", as_the_broker_writes(AT + 911))["durations"]
    assert (durations["append_ms"], durations["delivery_ms"]) == (2 + 7, 11)


def test_clocks_that_contradict_each_other_tell_nothing() -> None:
    recorded = [
        Recorded(7, examples.requested(), as_the_broker_writes(AT + 2)),
        Recorded(9, examples.closed(at=AT + 900), as_the_broker_writes(AT + 899)),
    ]
    durations = timeline(recorded, "completed", as_the_broker_writes(AT + 899))["durations"]
    assert (durations["append_ms"], durations["delivery_ms"]) == (None, None)


def as_the_broker_writes(milliseconds: int) -> str:
    """Write a time with nine digits behind the second."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}000000Z"
