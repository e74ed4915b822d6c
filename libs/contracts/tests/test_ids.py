"""Identifiers sort by time, name their kind, and can stand in a subject."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import subjects
from turnwire_contracts.ids import (
    ITEM_PREFIXES,
    ResponseId,
    TenantId,
    call_id,
    input_item_id,
    is_response_id,
    new_response_id,
    output_item_id,
)
from turnwire_testing.examples import RESPONSE_ID, TENANT

times = st.integers(0, 2**48 - 2)
randomness = st.binary(min_size=10, max_size=16)


@given(now=times, noise=randomness)
def test_a_new_response_id_has_the_shape_that_is_accepted(now: int, noise: bytes) -> None:
    made = new_response_id(now, noise)
    assert is_response_id(made)
    assert len(made) == 37


@given(earlier=times, later=times, noise=randomness, other=randomness)
def test_a_later_id_sorts_behind_an_earlier_one(
    earlier: int, later: int, noise: bytes, other: bytes
) -> None:
    if earlier == later:
        later += 1
    first, second = sorted([earlier, later])
    assert new_response_id(first, noise) < new_response_id(second, other)


def test_ids_of_the_same_millisecond_differ_by_their_randomness() -> None:
    assert new_response_id(1, b"a" * 10) != new_response_id(1, b"b" * 10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resp_",
        "resp_" + "0" * 31,
        "resp_" + "0" * 33,
        "resp_" + "G" * 32,
        "resp_" + "A" * 32,
        "msg_" + "0" * 32,
        "resp_" + "0" * 31 + ".",
        "resp_" + "0" * 31 + "*",
        "resp_" + "0" * 31 + "٣",
        " resp_" + "0" * 32,
    ],
)
def test_what_is_no_response_id_is_told_from_one(text: str) -> None:
    assert not is_response_id(text)


@given(times, randomness, st.integers(0, 36), st.sampled_from(". *>\t\r\n/$"))
def test_an_id_with_a_character_that_means_something_in_a_subject_is_refused(
    now: int, noise: bytes, place: int, special: str
) -> None:
    made = new_response_id(now, noise)
    assert not is_response_id(made[:place] + special + made[place + 1 :])


@given(now=times, noise=randomness)
def test_a_subject_gives_back_what_it_was_made_of(now: int, noise: bytes) -> None:
    made = new_response_id(now, noise)
    subject = subjects.turn_event(TENANT, made, "cancel_requested")
    assert subjects.parse_turn_event(subject) == (TENANT, made, "cancel_requested")


def test_all_events_of_a_turn_lie_under_its_own_subject() -> None:
    turn = subjects.turn(TenantId("acme"), RESPONSE_ID)
    event = subjects.turn_event(TenantId("acme"), RESPONSE_ID, "closed")
    assert turn == f"turn.acme.{RESPONSE_ID}.>"
    assert event.startswith(turn.removesuffix(">"))


@pytest.mark.parametrize(("kind", "prefix"), ITEM_PREFIXES.items())
def test_the_prefix_of_an_item_id_tells_its_kind(kind: str, prefix: str) -> None:
    assert output_item_id(RESPONSE_ID, 0, kind).startswith(f"{prefix}_")


def test_an_item_of_a_kind_that_nobody_knows_has_an_id_too() -> None:
    assert output_item_id(RESPONSE_ID, 3, "hologram") == f"item_{RESPONSE_ID[5:]}o3"


@given(st.lists(st.sampled_from(list(ITEM_PREFIXES)), min_size=1, max_size=12))
def test_no_two_items_of_a_response_share_an_id(kinds: list[str]) -> None:
    into = [input_item_id(RESPONSE_ID, index, kind) for index, kind in enumerate(kinds)]
    out = [output_item_id(RESPONSE_ID, index, kind) for index, kind in enumerate(kinds)]
    calls = [call_id(RESPONSE_ID, index) for index in range(len(kinds))]
    assert len({*into, *out, *calls}) == 3 * len(kinds)


def test_ids_inside_a_response_derive_from_its_own() -> None:
    other = ResponseId("resp_" + "f" * 32)
    assert output_item_id(RESPONSE_ID, 0, "message") != output_item_id(other, 0, "message")
    assert RESPONSE_ID[5:] in call_id(RESPONSE_ID, 0)
