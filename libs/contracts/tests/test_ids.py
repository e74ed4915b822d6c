"""Identifiers sort by time, name their kind, and can stand in a subject."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts import subjects
from turnwire_contracts.event_kinds import subject_of
from turnwire_contracts.ids import (
    CONVERSATION_PREFIX,
    ITEM_PREFIXES,
    RESPONSE_PREFIX,
    ResponseId,
    TenantId,
    call_id,
    input_item_id,
    is_conversation_id,
    is_response_id,
    named_response_id,
    new_conversation_id,
    new_response_id,
    output_item_id,
    place_of_item,
)
from turnwire_testing.examples import CONVERSATION_ID, RESPONSE_ID, TENANT, requested

times = st.integers(0, 2**48 - 2)
randomness = st.binary(min_size=10, max_size=16)
response_ids = st.builds(new_response_id, times, randomness)
kinds = st.sampled_from([*ITEM_PREFIXES, "hologram"])


@given(now=times, noise=randomness)
def test_a_new_response_id_has_the_shape_that_is_accepted(now: int, noise: bytes) -> None:
    made = new_response_id(now, noise)
    assert is_response_id(made)
    assert len(made) == 37


@given(now=times, noise=randomness)
def test_a_new_conversation_id_is_told_from_one_of_a_response(now: int, noise: bytes) -> None:
    made = new_conversation_id(now, noise)
    assert is_conversation_id(made)
    assert not is_response_id(made)
    assert not is_conversation_id(new_response_id(now, noise))
    assert made[len(CONVERSATION_PREFIX) :] == new_response_id(now, noise)[len(RESPONSE_PREFIX) :]


@given(st.binary(max_size=99), st.binary(max_size=99))
def test_a_name_stands_for_one_response_id_and_for_no_other(name: bytes, other: bytes) -> None:
    made = named_response_id(name)
    assert is_response_id(made)
    assert (named_response_id(other) == made) == (name == other)


def test_a_name_stands_for_the_same_response_id_in_every_version() -> None:
    assert named_response_id(b"acme/ada/key-1") == "resp_abde6d76e8fc155c70105bf089aff243"


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


def test_the_lane_of_a_background_turn_says_nothing_about_its_event() -> None:
    subject = subjects.turn_event(TENANT, RESPONSE_ID, "requested.background")
    assert subject_of(requested(background=True)) == subject
    assert subjects.parse_turn_event(subject) == (TENANT, RESPONSE_ID, "requested")


@given(now=times, noise=randomness)
def test_a_subject_of_a_conversation_gives_back_what_it_was_made_of(now: int, noise: bytes) -> None:
    made = new_conversation_id(now, noise)
    subject = subjects.conversation_event(TENANT, made, "turn_added")
    assert subjects.parse_conversation_event(subject) == (TENANT, made, "turn_added")
    assert subject.startswith(subjects.conversation(TENANT, made).removesuffix(">"))


def test_turns_and_conversations_are_not_taken_for_each_other() -> None:
    of_turn = subjects.turn_event(TENANT, RESPONSE_ID, "deleted")
    of_conversation = subjects.conversation_event(TENANT, CONVERSATION_ID, "deleted")
    with pytest.raises(ValueError, match="no subject of a turn"):
        subjects.parse_turn_event(of_conversation)
    with pytest.raises(ValueError, match="no subject of a conversation"):
        subjects.parse_conversation_event(of_turn)


@pytest.mark.parametrize("subject", ["", "turn", "turn.acme", "turn.acme.resp_1", "conversation"])
def test_what_is_no_subject_of_an_event_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        subjects.parse_turn_event(subject)
    with pytest.raises(ValueError, match=r".+"):
        subjects.parse_conversation_event(subject)


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
def test_no_two_items_of_a_response_share_an_id(told: list[str]) -> None:
    into = [input_item_id(RESPONSE_ID, index, kind) for index, kind in enumerate(told)]
    out = [output_item_id(RESPONSE_ID, index, kind) for index, kind in enumerate(told)]
    calls = [call_id(RESPONSE_ID, index) for index in range(len(told))]
    assert len({*into, *out, *calls}) == 3 * len(told)


@given(response_ids, st.integers(0, 999_999), kinds)
def test_the_id_of_an_item_tells_where_it_stands(
    response_id: ResponseId, index: int, kind: str
) -> None:
    into = input_item_id(response_id, index, kind)
    out = output_item_id(response_id, index, kind)
    assert place_of_item(into) == (response_id, False, index)
    assert place_of_item(out) == (response_id, True, index)


@pytest.mark.parametrize(
    "item_id",
    [
        "",
        "msg_1",
        "msg_68f0c1d2e3a48190a1b2c3d4e5f60718",
        f"msg_{RESPONSE_ID[5:]}",
        f"msg_{RESPONSE_ID[5:]}o",
        f"msg_{RESPONSE_ID[5:]}x0",
        f"msg_{RESPONSE_ID[5:]}o00",
        f"msg_{RESPONSE_ID[5:]}o1234567",
        f"msg_{RESPONSE_ID[5:]}o٣",
        f"msg_{RESPONSE_ID[5:]}o0\n",
        f" msg_{RESPONSE_ID[5:]}o0",
        f"msg_{RESPONSE_ID[5:].upper()}o0",
        f"ws_{RESPONSE_ID[5:]}o0",
        call_id(RESPONSE_ID, 0),
        RESPONSE_ID,
    ],
)
def test_an_id_that_is_not_ours_stands_nowhere(item_id: str) -> None:
    assert place_of_item(item_id) is None


def test_ids_inside_a_response_derive_from_its_own() -> None:
    other = ResponseId("resp_" + "f" * 32)
    assert output_item_id(RESPONSE_ID, 0, "message") != output_item_id(other, 0, "message")
    assert RESPONSE_ID[5:] in call_id(RESPONSE_ID, 0)
