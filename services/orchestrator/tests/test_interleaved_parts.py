"""Parts of one item that a backend tells side by side are read as if told one after another."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_testing.interleaving import (
    END,
    InOrderAndMixed,
    check_broken,
    check_judged_first_is_told_in_the_same_way,
    check_order_gives_the_same_items,
)
from turnwire_testing.read_samples import Live

PARTS: dict[str, tuple[str, str, str, str]] = {
    "output_text": ("message", "content", "content_part", "output_text"),
    "reasoning_text": ("reasoning", "content", "content_part", "reasoning_text"),
    "summary_text": ("reasoning", "summary", "reasoning_summary_part", "reasoning_summary_text"),
}
"""By kind of part: the item it is in, the list there, and how its events are called."""


class Parts:
    """The events of one item with several parts of one kind."""

    def __init__(self, kind: str, index: int, texts: list[list[str]], announced: str = "") -> None:
        """`texts`: the deltas of each part; `announced`: parts have events of their own."""
        item, field, part_event, text_event = PARTS[kind]
        self.head: JSON = {"type": item, "id": f"i{index}"}
        added = {"type": "response.output_item.added", "output_index": index, "item": self.head}
        self.begin = [added]
        self.parts: list[list[JSON]] = []
        for number, deltas in enumerate(texts):
            place: JSON = {
                "item_id": f"i{index}",
                "output_index": index,
                "summary_index" if field == "summary" else "content_index": number,
            }
            text = "".join(deltas)
            whole = {"type": kind, "text": text}
            events = [{"type": f"response.{text_event}.delta", "delta": each} for each in deltas]
            events.append({"type": f"response.{text_event}.done", "text": text})
            if announced:
                opened = {"type": f"response.{part_event}.added", "part": {**whole, "text": ""}}
                ended = {"type": f"response.{part_event}.done", "part": whole}
                events = [opened, *events, ended]
            self.parts.append([{**event, **place} for event in events])
        final = [{"type": kind, "text": "".join(deltas)} for deltas in texts]
        done = self.head | {field: final, "status": "completed"}
        self.end = [{"type": "response.output_item.done", "output_index": index, "item": done}]


texts_of_parts = st.lists(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=4), min_size=1
    ),
    min_size=1,
    max_size=3,
)
items = st.lists(
    st.tuples(st.sampled_from(sorted(PARTS)), texts_of_parts, st.sampled_from(["", "announced"])),
    min_size=1,
    max_size=2,
)


@st.composite
def interleavings(draw: st.DrawFn) -> InOrderAndMixed:
    """Give the events of items one after another, and with all parts told side by side.

    Every part's own events keep their order, and parts begin in the order of their places.
    """
    told = [Parts(kind, at, texts, how) for at, (kind, texts, how) in enumerate(draw(items))]
    in_order = [e for item in told for each in (item.begin, *item.parts, item.end) for e in each]
    rests = [(at, [*part]) for at, item in enumerate(told) for part in item.parts]
    mixed: list[JSON] = [event for item in told for event in item.begin]
    begun = [0] * len(told)
    while any(rest for _, rest in rests):
        open_now: list[tuple[int, int]] = []
        for at in range(len(told)):
            own = [number for number, (of, _) in enumerate(rests) if of == at]
            open_now += [(at, number) for number in own[: begun[at] + 1] if rests[number][1]]
        at, number = draw(st.sampled_from(open_now))
        own = [each for each, (of, _) in enumerate(rests) if of == at]
        begun[at] = max(begun[at], own.index(number) + 1)
        mixed.append(rests[number][1].pop(0))
    return in_order, [*mixed, *(event for item in told for event in item.end)]


@given(interleavings())
def test_any_order_of_parts_gives_the_same_items(told: InOrderAndMixed) -> None:
    check_order_gives_the_same_items(told)


@given(interleavings())
def test_nothing_is_said_twice_without_the_ends(told: InOrderAndMixed) -> None:
    in_order, mixed = told
    texts = [event for event in mixed if event["type"].endswith(("added", "delta"))]
    live = Live([*texts, END])
    assert live.told == Live([*in_order, END]).told
    live.check()


@given(interleavings())
def test_parts_that_are_judged_first_are_told_in_the_same_way(
    told: InOrderAndMixed,
) -> None:
    check_judged_first_is_told_in_the_same_way(told)


@given(interleavings(), st.data())
def test_a_broken_answer_keeps_what_its_parts_said(
    told: InOrderAndMixed, data: st.DataObject
) -> None:
    _, mixed = told
    cut = data.draw(st.integers(0, len(mixed)))
    live = check_broken(told, cut)
    said = "".join(event["delta"] for event in mixed[:cut] if "delta" in event)
    assert sorted("".join(text for _, text, _ in live.told)) == sorted(said)


def _deltas(*said: tuple[int | None, str]) -> list[Any]:
    event = {"type": "response.output_text.delta", "item_id": "m", "output_index": 0}
    return [{**event, "content_index": index, "delta": text} for index, text in said]


@pytest.mark.parametrize("announced", ["announced", ""])
def test_the_first_part_streams_and_the_next_waits_for_its_end(announced: str) -> None:
    item = Parts("output_text", 0, [["A", "B"], ["X", "Y"]], announced)
    first, second = item.parts
    begin = 2 if announced else 1
    mixed = [*first[:begin], *second[:begin], *first[begin:], *second[begin:]]
    live = Live([*item.begin, *mixed, *item.end, END])
    assert live.deltas == ["A", "B", "X", "Y"]
    assert [part["text"] for part in live.items[0]["content"]] == ["AB", "XY"]
    live.check()


@pytest.mark.parametrize(
    ("final", "parts"),
    [
        (["AB"], ["A", "B"]),
        (["ABC"], ["A", "BC"]),
        (["A", "B", "C"], ["A", "B", "C"]),
        (["A", "Bb"], ["A", "Bb"]),
        (["Aa", "B"], ["Aa", "B"]),
        (["X", "Y"], ["A", "B"]),
    ],
)
def test_a_final_item_that_is_cut_otherwise_repeats_nothing(
    final: list[str], parts: list[str]
) -> None:
    item = {"type": "message", "content": [{"type": "output_text", "text": each} for each in final]}
    done = {"type": "response.output_item.done", "output_index": 0, "item": {**item, "id": "m"}}
    live = Live([*_deltas((0, "A"), (1, "B")), done, END])
    assert [part["text"] for part in live.items[0]["content"]] == parts
    live.check()


def test_one_part_that_the_final_item_cuts_into_two_stays_one() -> None:
    content = [{"type": "output_text", "text": each} for each in ("AB", "CD")]
    item = {"type": "message", "id": "m", "content": content}
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    live = Live([*_deltas((None, "ABC")), done, END])
    assert live.deltas == ["ABC", "D"]
    live.check()
