"""What a model may say, as hypothesis strategies: items, their parts, and how they were cut."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.replay import write_item

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """One part and its deltas."""

    kind: str
    deltas: tuple[str, ...]
    annotations: tuple[JSON, ...] = ()
    logprobs: tuple[tuple[JSON, ...], ...] = ()
    """Those that each delta carries; deltas beyond the last of them carry none."""

    def carried_by(self, delta: int) -> list[JSON]:
        """Give the log probabilities that the delta at this place carries."""
        return [*self.logprobs[delta]] if delta < len(self.logprobs) else []


@dataclass(frozen=True, slots=True)
class Told:
    """One item as a model streams it: parts for messages and reasoning, deltas for calls."""

    head: JSON
    parts: tuple[Part, ...] = ()
    deltas: tuple[str, ...] = ()
    said: JSON | None = None
    left_after: tuple[int, ...] = ()
    """After which of its steps it is left open, and the next item is told first."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """One item that comes as a whole."""

    item: JSON


Story = tuple[Told | Opaque, ...]


def _repeated(text: str, times: int) -> str:
    return text * times


def _joined(first: list[Part], second: list[Part]) -> tuple[Part, ...]:
    return (*first, *second)


def _with_alternatives(token: JSON, others: list[JSON]) -> JSON:
    return {**token, "top_logprobs": others}


def _output_text(told: list[tuple[str, tuple[JSON, ...]]], annotations: tuple[JSON, ...]) -> Part:
    deltas, logprobs = [text for text, _ in told], [carried for _, carried in told]
    return Part("output_text", tuple(deltas), annotations, tuple(logprobs))


def as_tuple(values: list[T]) -> tuple[T, ...]:
    """Make it a value that cannot change."""
    return tuple(values)


# Lone surrogates cannot stand in UTF-8: the readers join or replace them.
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
_tokens: st.SearchStrategy[JSON] = st.fixed_dictionaries(
    {
        "token": texts,
        "logprob": st.floats(-100, 0),
        "bytes": st.lists(st.integers(0, 255), max_size=2),
    }
)
_logprobs: st.SearchStrategy[JSON] = st.builds(
    _with_alternatives, _tokens, st.lists(_tokens, max_size=1)
)
# A token may have no text of its own, as the first half of a character has none.
_carrying = st.tuples(
    texts | st.just(""), st.lists(_logprobs, min_size=1, max_size=2).map(as_tuple)
)
_bare = st.tuples(texts | long_texts, st.just(()))
_output_texts = st.builds(
    _output_text,
    st.lists(_bare, max_size=5) | st.lists(_bare | _carrying, max_size=5),
    st.lists(_annotations, max_size=2).map(as_tuple),
)
_refusals = st.builds(Part, st.just("refusal"), deltas)
_summaries = st.builds(Part, st.just("summary_text"), deltas)
_thoughts = st.builds(Part, st.just("reasoning_text"), deltas)
_left = st.just(()) | st.lists(st.integers(1, 8), max_size=2, unique=True).map(as_tuple)
_messages = st.builds(
    Told,
    st.fixed_dictionaries(
        {"type": st.just("message")}, optional={"phase": st.just("final_answer")}
    ),
    st.lists(_output_texts | _refusals, max_size=3).map(as_tuple),
    left_after=_left,
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
    _left,
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
    left: list[tuple[int, int, Iterator[None]]] = []
    for number, item in enumerate(story):
        if isinstance(item, Opaque):
            write_item(assembler, item.item, [])
            yield
            continue
        cut_off = incomplete and number == len(story) - 1
        steps = _telling_item(assembler, item, cut_off=cut_off)
        for step, _ in enumerate(steps, start=1):
            yield
            if step in item.left_after and not cut_off and assembler.in_item is not None:
                left.append((assembler.leave(), step, steps))
                break
        else:
            if assembler.in_item is None:
                left = yield from _going_on(assembler, story, left)
    while left and assembler.in_item is None:
        left = yield from _going_on(assembler, story, left)
    assembler.end("incomplete" if incomplete else "completed")
    yield


def _going_on(
    assembler: Assembler, story: Story, left: list[tuple[int, int, Iterator[None]]]
) -> Generator[None, None, list[tuple[int, int, Iterator[None]]]]:
    """Go on with the items that were left; gives those that are left again."""
    again: list[tuple[int, int, Iterator[None]]] = []
    for number, step, steps in left:
        assembler.enter(number)
        for each, _ in enumerate(steps, start=step + 1):
            yield
            if each in _left_after(story, number) and assembler.in_item is not None:
                again.append((assembler.leave(), each, steps))
                break
    return again


def _left_after(story: Story, number: int) -> tuple[int, ...]:
    item = story[number] if number < len(story) else None
    return item.left_after if isinstance(item, Told) else ()


def _telling_item(assembler: Assembler, item: Told, *, cut_off: bool) -> Iterator[None]:
    assembler.add_item(item.head)
    yield
    for delta in item.deltas:
        assembler.delta(delta)
        yield
    for part in item.parts:
        assembler.add_part(part.kind)
        yield
        for place, delta in enumerate(part.deltas):
            assembler.delta(delta, part.carried_by(place))
            yield
        assembler.end_part([*part.annotations])
        yield
    if not cut_off:
        assembler.end_item(item.said)
        yield
