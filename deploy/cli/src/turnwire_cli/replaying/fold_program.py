"""A program: folds events of turns and tells the state after each, a line of JSON for each.

It stands alone, so that the fold of another checkout can run it: what it imports is
`turnwire_contracts`, wherever that comes from. In: lines `{"sequence", "subject", "event"}`. Out:
first `{"contracts": <its place>}`, then `{"sequence", "id", "kind", "state", "data"}` or, where an
event cannot be folded, `{"sequence", "id", "kind", "error"}`.
"""

import sys
from typing import Any

import msgspec

import turnwire_contracts
from turnwire_contracts import codec, subjects
from turnwire_contracts.turn import evolve
from turnwire_contracts.turn_state import NotRequested


def main() -> None:
    """Fold what standard input has."""
    place = str(next(iter(turnwire_contracts.__path__)))
    sys.stdout.write(msgspec.json.encode({"contracts": place}).decode() + "\n")
    states: dict[str, Any] = {}
    for text in sys.stdin.buffer:
        line = msgspec.json.decode(text)
        if not line["subject"].startswith("turn."):
            continue
        _, response_id, kind = subjects.parse_turn_event(line["subject"])
        said: dict[str, Any] = {"sequence": line["sequence"], "id": response_id, "kind": kind}
        try:
            event = codec.read_turn_event(line["subject"], msgspec.json.encode(line["event"]))
            state = evolve(states.get(response_id, NotRequested()), event)
            states[response_id] = state
            said |= {"state": type(state).__name__, "data": msgspec.to_builtins(state)}
        except Exception as error:  # noqa: BLE001 -- whatever another version raises is the answer
            said |= {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")


if __name__ == "__main__":
    main()
