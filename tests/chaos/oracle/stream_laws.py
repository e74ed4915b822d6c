"""What clients read frame by frame, against what the log rebuilds byte for byte. Pure."""

from collections.abc import Iterator

import orjson

from chaos.oracle.case import Case
from chaos.oracle.prompts import JSON
from chaos.oracle.records import SeenTurn
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing.stream_grammar import TERMINAL, GrammarError, check_stream


def payload(frame: bytes) -> JSON:
    """What a frame says."""
    return orjson.loads(frame.partition(b"\ndata: ")[2])


def streams_are_the_log(case: Case) -> Iterator[str]:
    """The frames that a client saw are those of the log; of a stream that broke, the first ones."""
    for seen in case.run.seen:
        if seen.frames:
            yield from _numbered(seen)
            turn = case.ended.get(seen.response_id)
            if turn is not None and turn.closed.stored:
                yield from _rebuilt(seen, turn)
            yield from _ended(seen)


def _numbered(seen: SeenTurn) -> Iterator[str]:
    events = [payload(frame) for frame in seen.frames]
    broken = [event for event in events if event["type"] == "error"]
    for event in broken:
        yield f"{seen.name}: its stream was interrupted: {event}"
    numbers = [event.get("sequence_number") for event in events if event["type"] != "error"]
    if numbers != list(range(len(numbers))):
        yield f"{seen.name}: its frames are numbered {numbers}"


def _rebuilt(seen: SeenTurn, turn: ClosedTurn) -> Iterator[str]:
    rebuilt = stream_of(turn)
    for number, frame in enumerate(seen.frames):
        if number >= len(rebuilt):
            yield f"{seen.name}: frame {number} was shown, and the log has {len(rebuilt)}"
            return
        if frame != rebuilt[number]:
            yield f"{seen.name}: frame {number} is {frame!r}, and in the log {rebuilt[number]!r}"
            return
    if seen.done and len(seen.frames) != len(rebuilt):
        yield f"{seen.name}: told as done after {len(seen.frames)} of {len(rebuilt)} frames"


def _ended(seen: SeenTurn) -> Iterator[str]:
    events = [payload(frame) for frame in seen.frames]
    ends = [event["type"] for event in events if event["type"] in TERMINAL]
    if not seen.done:
        if ends:
            yield f"{seen.name}: a terminal frame, and no end of the stream: {ends}"
        return
    if any(event["type"] == "error" for event in events):
        return
    try:
        check_stream(events)
    except GrammarError as error:
        yield f"{seen.name}: its stream breaks the grammar: {error}"
