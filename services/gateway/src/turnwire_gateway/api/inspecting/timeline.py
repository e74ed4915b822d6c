"""`/v1/responses/{response_id}/timeline`: where the time of a turn went, by its events alone. Pure.

Times are those of the processes that wrote the events. What no event tells is `null`.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from turnwire_chassis.broker_times import milliseconds
from turnwire_chassis.event_log import Recorded
from turnwire_contracts.events import (
    Closed,
    Item,
    Requested,
    Sampled,
    Screened,
    Started,
    TakenOver,
    ToolCalled,
    ToolReturned,
    ToolsListed,
)
from turnwire_contracts.json_values import JSON


class TimedPart(Struct, frozen=True):
    """A part of a turn's time, in Unix milliseconds; `None`: it is not told."""

    kind: str
    sequence: int
    """The event that ended it."""
    began: int | None
    ended: int | None
    detail: JSON = {}

    @property
    def ms(self) -> int | None:
        """How long it took."""
        if self.began is None or self.ended is None:
            return None
        return max(0, self.ended - self.began)

    @property
    def written(self) -> JSON:
        """Write it as JSON; times are Unix seconds."""
        return {
            "kind": self.kind,
            "sequence": self.sequence,
            "started_at": _seconds(self.began),
            "ended_at": _seconds(self.ended),
            "duration_ms": self.ms,
            **self.detail,
        }


def timeline(recorded: Sequence[Recorded], status: str, end_kept_at: str | None = None) -> JSON:
    """Write the timeline of a turn; `recorded` begins with its request.

    `end_kept_at`: when its last frame was with the broker, as that writes times.
    """
    began = recorded[0].event.at
    ended = next((each.event.at for each in recorded if isinstance(each.event, Closed)), None)
    samples, tools = list(_samples(recorded)), list(_calls(recorded))
    queue, guard = _queue(recorded), _guard(recorded)
    spans = [*_some(queue), *_some(guard), *_listings(recorded), *samples, *tools]
    owners = _owners(recorded, ended)
    return {
        "object": "response.timeline",
        "response_id": recorded[0].event.response_id,
        "status": status,
        "started_at": began / 1000,
        "ended_at": _seconds(ended),
        "total_ms": None if ended is None else max(0, ended - began),
        "durations": {
            "queued_ms": queue.ms if queue else None,
            "guard_ms": guard.ms if guard else None,
            "history_ms": _history_ms(recorded),
            "first_token_ms": _first_token_ms(samples),
            "tokens_ms": _tokens_ms(samples),
            "tools_ms": _covered_ms(tools),
            "append_ms": _append_ms(recorded),
            "delivery_ms": _since(ended, end_kept_at),
        },
        "owners": owners,
        "takeovers": len(owners) - 1,
        "retries": _retries(recorded),
        "spans": [span.written for span in sorted(spans, key=lambda span: span.sequence)],
        "tools": [span.written for span in tools],
    }


def _taken_at(recorded: Sequence[Recorded]) -> int | None:
    """Tell when the first owner took the turn, if it is the one that asked the model."""
    for each in recorded:
        match each.event:
            case TakenOver():
                return None
            case Sampled(sample=sample) | Closed(sample=sample) if sample is not None:
                return sample.taken_at
            case _:
                pass
    return None


def _queue(recorded: Sequence[Recorded]) -> TimedPart | None:
    request = recorded[0].event
    for each in recorded:
        if isinstance(each.event, Started):
            return TimedPart("queue", each.sequence, request.at, each.event.at)
    taken_at = _taken_at(recorded)
    if taken_at is None:
        return None
    return TimedPart("queue", recorded[0].sequence, request.at, taken_at)


def _guard(recorded: Sequence[Recorded]) -> TimedPart | None:
    """Give the check of the input; that of a background turn's came before it was requested."""
    began = _taken_at(recorded)
    for each in recorded:
        match each.event:
            case Started(at=at):
                began = at
            case Screened(at=at, violations=violations):
                outcome = "blocked" if violations else "passed"
                return TimedPart("guard", each.sequence, began, at, {"outcome": outcome})
            case _:
                pass
    return None


def _listings(recorded: Sequence[Recorded]) -> Iterator[TimedPart]:
    for each in recorded:
        match each.event:
            case ToolsListed(items=items, at=at):
                servers = [item["server_label"] for item in items if "server_label" in item]
                yield TimedPart("list_tools", each.sequence, None, at, {"servers": servers})
            case _:
                pass


def _samples(recorded: Sequence[Recorded]) -> Iterator[TimedPart]:
    number = 0
    for each in recorded:
        event = each.event
        if not isinstance(event, Sampled | Closed) or (
            event.sample is None and isinstance(event, Closed) and not event.output
        ):
            continue
        number += 1
        record = event.sample
        detail: JSON = {
            "sample": number,
            "first_token_at": _seconds(record.first_at if record else None),
            "version": record.version if record else None,
        }
        yield TimedPart(
            "sample", each.sequence, record.asked_at if record else None, event.at, detail
        )


def _calls(recorded: Sequence[Recorded]) -> Iterator[TimedPart]:
    """Give each call of an MCP tool; one that was made again began when it first left."""
    items: dict[str, Item] = {}
    left: dict[str, int] = {}
    for each in recorded:
        match each.event:
            case Sampled(output=output) | ToolsListed(items=output):
                items |= {item["id"]: item for item in output if item["type"] == "mcp_call"}
            case ToolCalled(item_ids=item_ids, at=at):
                for item_id in item_ids:
                    left.setdefault(item_id, at)
            case ToolReturned(item_id=item_id, at=at, error=error):
                item = items.get(item_id, {})
                detail: JSON = {
                    "item_id": item_id,
                    "name": item.get("name"),
                    "server_label": item.get("server_label"),
                    "failed": error is not None,
                }
                yield TimedPart("tool", each.sequence, left.get(item_id), at, detail)
            case _:
                pass


def _owners(recorded: Sequence[Recorded], ended: int | None) -> list[JSON]:
    claims = [
        (each.event.at, each.event.cause) for each in recorded if isinstance(each.event, TakenOver)
    ]
    taken_at = _taken_at(recorded)
    began = [taken_at, *(at for at, _ in claims)]
    until = [*(at for at, _ in claims), ended]
    names = [None, *(claim for _, claim in claims)]
    return [
        {"epoch": epoch, "claim": name, "from": _seconds(first), "until": _seconds(last)}
        for epoch, (name, first, last) in enumerate(zip(names, began, until, strict=True), 1)
    ]


def _retries(recorded: Sequence[Recorded]) -> int:
    """Count what was done again: calls that left twice, and requests delivered again by hand."""
    left = [
        item_id
        for each in recorded
        if isinstance(each.event, ToolCalled)
        for item_id in each.event.item_ids
    ]
    requests = sum(isinstance(each.event, Requested) for each in recorded)
    return len(left) - len({*left}) + requests - 1


def _history_ms(recorded: Sequence[Recorded]) -> int | None:
    for each in recorded:
        if isinstance(each.event, Sampled | Closed) and each.event.sample is not None:
            return each.event.sample.history_ms
    return None


def _first_token_ms(samples: Sequence[TimedPart]) -> int | None:
    """Tell how long the first sample waited for its first event."""
    if not samples:
        return None
    first, began = samples[0].detail["first_token_at"], samples[0].began
    if first is None or began is None:
        return None
    return max(0, round(1000 * first) - began)


def _tokens_ms(samples: Sequence[TimedPart]) -> int | None:
    """Add up the times from the first event of each sample to its end."""
    total = 0
    for span in samples:
        first = span.detail["first_token_at"]
        if first is None or span.ended is None:
            return None
        total += max(0, span.ended - round(1000 * first))
    return total if samples else None


def _covered_ms(spans: Sequence[TimedPart]) -> int | None:
    """Tell how long at least one span lasted: calls run side by side."""
    total, reached = 0, 0
    for span in sorted(spans, key=lambda span: span.began or 0):
        if span.began is None or span.ended is None:
            return None
        total += max(0, span.ended - max(span.began, reached))
        reached = max(reached, span.ended)
    return total if spans else None


def _append_ms(recorded: Sequence[Recorded]) -> int | None:
    """Give how long it took all events until now to be kept."""
    took = [_since(each.event.at, each.kept_at) for each in recorded]
    known = [each for each in took if each is not None]
    return sum(known) if len(known) == len(took) else None


def _since(began: int | None, kept_at: str | None) -> int | None:
    """Give how long after a time of ours the broker had something, by the clocks of both.

    `None` where they contradict each other, or one of them is not known.
    """
    if began is None or kept_at is None:
        return None
    took = milliseconds(kept_at) - began
    return took if took >= 0 else None


def _some(span: TimedPart | None) -> list[TimedPart]:
    return [] if span is None else [span]


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
