"""What a model may say, as hypothesis strategies: items, their parts, and how they were cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler, write_item

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One part and its deltas."""

    kind: str
    deltas: tuple[str, ...]
    annotations: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One item as a model streams it: parts for messages and reasoning, deltas for calls."""

    head: JSON
    parts: tuple[Part, ...] = ()
    deltas: tuple[str, ...] = ()
    said: JSON | None = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """One item that comes as a whole."""

    item: JSON


Story = tuple[Told | Opaque, ...]


def _repeated(text: str, times: int) -> str:
    return text * times


def _joined(first: list[Part], second: list[Part]) -> tuple[Part, ...]:
    return (*first, *second)


def as_tuple(values: list[T]) -> tuple[T, ...]:
    """Make it a value that cannot change."""
    return tuple(values)


# Lone surrogates cannot stand in UTF-8, and JSON from a backend never has them.
texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)
long_texts = st.builds(_repeated, texts, st.integers(1, 40))
deltas = st.lists(texts | long_texts, max_size=5).map(as_tuple)

_annotations = st.fixed_dictionaries(
    {
        "type": st.just("url_citation"),
        "url": st.just("https://example.org/"),
        "title": texts,
        "start_index": st.integers(0, 9),
        "end_index": st.integers(0, 9),
    }
)
_output_texts = st.builds(
    Part, st.just("output_text"), deltas, st.lists(_annotations, max_size=2).map(as_tuple)
)
_refusals = st.builds(Part, st.just("refusal"), deltas)
_summaries = st.builds(Part, st.just("summary_text"), deltas)
_thoughts = st.builds(Part, st.just("reasoning_text"), deltas)
_messages = st.builds(
    Told,
    st.fixed_dictionaries(
        {"type": st.just("message")}, optional={"phase": st.just("final_answer")}
    ),
    st.lists(_output_texts | _refusals, max_size=3).map(as_tuple),
)
_reasonings = st.builds(
    Told,
    st.just({"type": "reasoning"}),
    st.builds(
        _joined,
        st.lists(_summaries, max_size=2),
        st.lists(_thoughts, max_size=2),
    ),
    st.just(()),
    st.none() | st.fixed_dictionaries({"encrypted_content": texts}),
)
_calls = st.builds(
    Told,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function_call", "custom_tool_call"]), "name": texts},
        optional={"call_id": st.just("call_of_the_backend"), "namespace": texts},
    ),
    st.just(()),
    deltas,
)
_opaques = st.builds(
    Opaque,
    st.fixed_dictionaries(
        {
            "type": st.just("web_search_call"),
            "id": st.just("ws_1"),
            "status": st.sampled_from(["completed", "failed"]),
            "action": st.fixed_dictionaries({"type": st.just("search"), "query": texts}),
        }
    ),
)
items = _messages | _reasonings | _calls | _opaques
stories = st.lists(items, max_size=4).map(as_tuple)


def tell(assembler: Assembler, story: Story, *, incomplete: bool = False) -> None:
    """Tell a whole story; `incomplete`: its last item is cut off, so it never ends by itself."""
    for _ in telling(assembler, story, incomplete=incomplete):
        pass


def telling(assembler: Assembler, story: Story, *, incomplete: bool = False) -> Iterator[None]:
    """Tell a story and stop after each call: what a backend says in one event."""
    for number, item in enumerate(story):
        cut_off = incomplete and number == len(story) - 1
        if isinstance(item, Opaque):
            write_item(assembler, item.item, [])
            yield
            continue
        yield from _telling_item(assembler, item)
        if not cut_off:
            assembler.end_item(item.said)
            yield
    assembler.end_item(None, "incomplete" if incomplete else "completed")
    yield


def _telling_item(assembler: Assembler, item: Told) -> Iterator[None]:
    assembler.add_item(item.head)
    yield
    for delta in item.deltas:
        assembler.delta(delta)
        yield
    for part in item.parts:
        assembler.add_part(part.kind)
        yield
        for delta in part.deltas:
            assembler.delta(delta)
            yield
        assembler.end_part([*part.annotations])
        yield
