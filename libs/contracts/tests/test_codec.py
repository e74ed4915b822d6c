"""Events are read as they were written, by this version and by later ones."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.codec import UPCASTERS, UnreadableEventError, Upcaster, decode, encode
from turnwire_contracts.events import (
    KINDS,
    VERSIONS,
    AnyEvent,
    CancelRequested,
    Closed,
    Failure,
    Requested,
    Screened,
    TakenOver,
    Usage,
    kind_of,
)

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
maybe = st.none() | texts
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, values, max_size=3)
items = st.lists(objects, max_size=2)
cut_lists = st.lists(st.lists(texts, max_size=2), max_size=2)
failures = st.builds(Failure, st.integers(400, 599), texts, texts, texts, maybe, st.none() | items)
usages = st.builds(Usage, *[st.integers(0, 10**9)] * 5)
statuses = st.sampled_from(["completed", "incomplete", "failed", "cancelled"])
about: dict[str, Any] = {
    "tenant": texts,
    "response_id": texts,
    "at": st.integers(0, 2**53),
    "cause": texts,
}
events: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        Requested,
        v=st.just(VERSIONS["requested"]),
        owner=texts,
        model=texts,
        input=items,
        instructions=maybe,
        previous_response_id=maybe,
        params=objects,
        stream=st.booleans(),
        store=st.booleans(),
        screen=st.booleans(),
        **about,
    ),
    st.builds(Screened, v=st.just(VERSIONS["screened"]), violations=items, **about),
    st.builds(
        TakenOver, v=st.just(VERSIONS["taken_over"]), abandoned=items, cuts=cut_lists, **about
    ),
    st.builds(
        CancelRequested,
        v=st.just(VERSIONS["cancel_requested"]),
        reason=st.sampled_from(["client_left", "asked"]),
        **about,
    ),
    st.builds(
        Closed,
        v=st.just(VERSIONS["closed"]),
        status=statuses,
        output=items,
        cuts=cut_lists,
        usage=st.none() | usages,
        instructions=maybe,
        incomplete_reason=maybe,
        failure=st.none() | failures,
        stored=st.booleans(),
        fields=objects,
        **about,
    ),
)


@contextmanager
def upcaster(kind: str, version: int, lift: Upcaster) -> Generator[None]:
    """Know an older version for a while."""
    UPCASTERS[kind, version] = lift
    try:
        yield
    finally:
        del UPCASTERS[kind, version]


@given(events)
def test_every_event_is_read_as_it_was_written(event: AnyEvent) -> None:
    assert decode(kind_of(event), encode(event)) == event


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_event_is_read_and_written_with_the_same_facts(path: Path) -> None:
    kind, _ = path.stem.split(".")
    recorded = path.read_bytes()
    event = decode(kind, recorded)
    assert event.v == VERSIONS[kind]
    assert msgspec.json.decode(encode(event)) == msgspec.json.decode(recorded)


def test_every_version_of_every_event_is_recorded() -> None:
    versions = {f"{kind}.v{v}" for kind, last in VERSIONS.items() for v in range(1, last + 1)}
    assert {path.stem for path in GOLDEN} == versions
    assert set(VERSIONS) == set(KINDS)


def test_a_recorded_event_says_every_field_that_there_is() -> None:
    for path in GOLDEN:
        kind, _ = path.stem.split(".")
        said = set(msgspec.json.decode(path.read_bytes(), type=dict[str, Any]))
        assert said == set(KINDS[kind].__struct_fields__), path.name


def test_a_field_that_a_later_version_added_is_passed_over() -> None:
    body = b'{"v":1,"tenant":"t","response_id":"r","at":1,"cause":"c","reason":"asked","new":1}'
    event = decode("cancel_requested", body)
    assert isinstance(event, CancelRequested)
    assert event.reason == "asked"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("exploded", b"{}"),
        ("closed", b'{"v":2,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"failed"}'),
        ("closed", b'{"v":0,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"failed"}'),
        ("closed", b'{"v":1,"tenant":"t","response_id":"r","at":1,"cause":"c","status":"odd"}'),
        ("closed", b'{"v":"1","tenant":"t","response_id":"r","at":1,"cause":"c"}'),
        ("closed", b'{"v":1}'),
        ("closed", b"{}"),
        ("closed", b'{"v":1,'),
        ("closed", b""),
        ("closed", b"\xff"),
    ],
)
def test_what_this_version_cannot_read_is_said_to_be_unreadable(kind: str, body: bytes) -> None:
    with pytest.raises(UnreadableEventError, match=kind):
        decode(kind, body)


def test_an_older_event_is_lifted_step_by_step_to_todays_version() -> None:
    def from_minus_one(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 0, "why": body["because"]}

    def from_zero(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 1, "reason": body["why"]}

    old = b'{"v":-1,"tenant":"t","response_id":"r","at":1,"cause":"c","because":"asked"}'
    with (
        upcaster("cancel_requested", -1, from_minus_one),
        upcaster("cancel_requested", 0, from_zero),
    ):
        event = decode("cancel_requested", old)
    assert isinstance(event, CancelRequested)
    assert (event.v, event.at, event.reason) == (1, 1, "asked")
    with pytest.raises(UnreadableEventError):
        decode("cancel_requested", old)


def test_an_older_event_that_todays_shape_would_accept_is_lifted_too() -> None:
    def from_zero(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "v": 1, "at": body["at"] * 1000}

    old = b'{"v":0,"tenant":"t","response_id":"r","at":7,"cause":"c","reason":"asked"}'
    with upcaster("cancel_requested", 0, from_zero):
        assert decode("cancel_requested", old).at == 7000
