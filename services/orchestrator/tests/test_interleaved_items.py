"""Items that a backend tells side by side are read as if it had told them one after another."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import codec
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.turn_runner.recovery import seen_items
from turnwire_testing.examples import RESPONSE_ID, closed, requested
from turnwire_testing.interleaving import (
    END,
    InOrderAndMixed,
    check_broken,
    check_judged_first_is_told_in_the_same_way,
    check_order_gives_the_same_items,
)
from turnwire_testing.read_samples import Live


class Script:
    """The events of one item, in the order in which a backend tells them."""

    def __init__(self, kind: str, index: int, deltas: list[str], name: str = "") -> None:
        """Tell an item of that kind at that place, its text in these pieces.

        `name`: its id, which other items may have, too.
        """
        place: JSON = {"item_id": name or f"i{index}", "output_index": index}
        head: JSON = {"type": kind, "id": name or f"i{index}"}
        text = "".join(deltas)
        if kind == "function_call":
            head |= {"name": f"f{index}", "call_id": "call_0"}
            whole = orjson.dumps({"a": text}).decode()
            pieces = [whole[at : at + 4] for at in range(0, len(whole), 4)]
            name, done = "response.function_call_arguments", {"arguments": whole}
            final = head | done | {"status": "completed"}
            parts: list[JSON] = []
        elif kind == "web_search_call":
            head |= {"status": "in_progress"}
            pieces, name, done = [], "response.web_search_call", {}
            final = head | {"status": "completed", "action": {"query": text}}
            parts = []
        else:
            part = "output_text" if kind == "message" else "reasoning_text"
            pieces, name, done = deltas, f"response.{part}", {"text": text}
            list_of: JSON = {"content": [{"type": part, "text": text}]}
            final = head | list_of | {"status": "completed"}
            if kind == "reasoning":
                final |= {"encrypted_content": f"sealed{index}", "summary": []}
            parts = [{"type": part, "text": text}]
        added = {"type": "response.output_item.added", "output_index": index, "item": head}
        self.events: list[JSON] = [added]
        for each in parts:
            opened = {"type": "response.content_part.added", "part": {**each, "text": ""}}
            self.events.append({**opened, **place, "content_index": 0})
        self.events += [{"type": f"{name}.delta", "delta": each, **place} for each in pieces]
        if done:
            self.events.append({"type": f"{name}.done", **done, **place})
        for each in parts:
            self.events.append({"type": "response.content_part.done", "part": each, **place})
        ended = {"type": "response.output_item.done", "output_index": index, "item": final}
        self.events.append(ended)


KINDS = ["message", "reasoning", "function_call", "web_search_call"]
scripts = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=5)),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def interleavings(draw: st.DrawFn) -> InOrderAndMixed:
    """Give the events of some items one after another, and in any other order.

    Every item's own events keep their order, and items begin in the order of their places.
    """
    names = draw(st.sampled_from(["", "shared"]))
    told = [Script(kind, at, deltas, names) for at, (kind, deltas) in enumerate(draw(scripts))]
    in_order = [event for script in told for event in script.events]
    rests = [list(script.events) for script in told]
    mixed: list[JSON] = []
    begun = 0
    while any(rests):
        open_now = [at for at in range(begun) if rests[at]]
        choices = [*open_now, *([begun] if begun < len(rests) else [])]
        at = draw(st.sampled_from(choices))
        begun = max(begun, at + 1)
        mixed.append(rests[at].pop(0))
    return in_order, mixed


@given(interleavings())
def test_any_order_gives_the_same_items(told: InOrderAndMixed) -> None:
    check_order_gives_the_same_items(told)


@given(interleavings())
def test_what_is_judged_first_is_told_in_the_same_way(
    told: InOrderAndMixed,
) -> None:
    check_judged_first_is_told_in_the_same_way(told)


@given(interleavings(), st.data())
def test_a_broken_answer_keeps_what_was_said(told: InOrderAndMixed, data: st.DataObject) -> None:
    _, mixed = told
    cut = data.draw(st.integers(0, len(mixed)))
    live = check_broken(told, cut)
    ended = {
        event["output_index"]
        for event in mixed[:cut]
        if event["type"] == "response.output_item.done"
    }
    for at, item in enumerate(live.items):
        if item["type"] == "function_call" and at not in ended:
            assert item["status"] == "incomplete" or orjson.loads(item["arguments"])


@given(interleavings(), st.data())
def test_what_was_seen_is_read_back_at_every_frame(
    told: InOrderAndMixed, data: st.DataObject
) -> None:
    _, mixed = told
    live = Live([*mixed, END])
    frames = live.frames[2:-1]
    seen = frames[: data.draw(st.integers(0, len(frames)))]
    items, cuts, runs = seen_items(RESPONSE_ID, seen, 0)
    again = fold([requested(stream=True), closed(output=items, cuts=cuts, runs=runs)])
    assert isinstance(again, ClosedTurn)
    assert stream_of(again)[2 : 2 + len(seen)] == seen


def _events(*scripts: tuple[str, list[str]]) -> list[list[JSON]]:
    return [Script(kind, at, deltas).events for at, (kind, deltas) in enumerate(scripts)]


def test_thoughts_that_end_late_do_not_hold_back_the_words() -> None:
    thought, words = _events(("reasoning", ["hm", "!"]), ("message", ["Hel", "lo"]))
    *begun, last = thought
    live = Live([*begun, *words, last, END])
    deltas = [e["delta"] for e in live.events if e["type"].endswith(".delta")]
    assert deltas == ["hm", "!", "Hel", "lo"]
    ends = [e["item"] for e in live.events if e["type"] == "response.output_item.done"]
    assert [item["type"] for item in ends] == ["message", "reasoning"]
    assert ends[1]["encrypted_content"] == "sealed0"
    assert live.items[0]["encrypted_content"] == "sealed0"
    live.check()


@pytest.mark.parametrize("order", [[0, 1, 0, 1], [0, 1, 1, 0]], ids=["in turns", "one inside"])
def test_calls_are_shown_one_after_another(order: list[int]) -> None:
    told = _events(("function_call", ["one"]), ("function_call", ["two"]))
    halves = [[events[:2], events[2:]] for events in told]
    live = Live([event for at in order for event in halves[at].pop(0)] + [END])
    live.check()
    indices = [event["output_index"] for event in live.events if "output_index" in event]
    assert indices == sorted(indices)
    assert [item["arguments"] for item in live.items] == ['{"a":"one"}', '{"a":"two"}']


def test_hosted_items_stand_in_the_order_of_their_indices() -> None:
    first, second = _events(("web_search_call", ["one"]), ("web_search_call", ["two"]))
    live = Live([first[0], second[0], second[1], first[1], END])
    assert [item["action"]["query"] for item in live.items] == ["one", "two"]
    live.check()


@pytest.mark.parametrize("end", [END, {"type": "response.failed", "response": {}}])
def test_a_call_without_its_own_end_ends_as_the_turn_does(end: JSON) -> None:
    first, second = _events(("function_call", ["one"]), ("function_call", []))
    live = Live([*first[:-2], second[0], end])
    ended = "completed" if end is END else "incomplete"
    assert [item["status"] for item in live.items][1] == ended
    assert live.items[1]["arguments"] == ("{}" if end is END else "")
    live.check()


def test_nothing_is_recorded_of_an_answer_told_in_order() -> None:
    told: list[Any] = _events(("reasoning", ["hm"]), ("message", ["Hi"]), ("function_call", ["x"]))
    live = Live([*(event for events in told for event in events), END])
    assert live.assembler.runs == []
    assert b'"runs"' not in codec.encode(live.turn.closed)
