"""API keys as text and as what is kept of them."""

import re
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.api_keys.key_text import (
    ID_BYTES,
    KEY_PATTERN,
    SECRET_BYTES,
    id_of_key,
    is_key_id,
    new_key,
)
from turnwire_chassis.api_keys.record import KeyOwner, digest_of, name_of_pepper, recorded
from turnwire_contracts.ids import OwnerId, TenantId

RANDOMNESS = st.binary(min_size=ID_BYTES + SECRET_BYTES, max_size=ID_BYTES + SECRET_BYTES)
LETTERS = string.ascii_letters + string.digits
HOLDER = KeyOwner(TenantId("acme"), OwnerId("ada"), "user")
PEPPER, OTHER_PEPPER = b"pepper of this one", b"pepper of another"


@given(RANDOMNESS)
def test_a_key_has_the_shape_that_scanners_look_for_and_tells_its_id(randomness: bytes) -> None:
    key = new_key(randomness)
    assert re.fullmatch(KEY_PATTERN, key)
    key_id = id_of_key(key)
    assert key_id is not None
    assert is_key_id(key_id)
    assert key_id.removeprefix("key_") in key


@given(RANDOMNESS, RANDOMNESS)
def test_every_bit_of_the_randomness_counts(one: bytes, other: bytes) -> None:
    assert (new_key(one)[19:] == new_key(other)[19:]) == (one == other) or one[9:] == other[9:]


@given(RANDOMNESS, st.integers(min_value=7, max_value=67), st.sampled_from(LETTERS))
def test_a_typo_is_known_without_a_look_up(randomness: bytes, place: int, letter: str) -> None:
    key = new_key(randomness)
    wrong = key[:place] + letter + key[place + 1 :]
    assert id_of_key(wrong) is None or wrong == key


@pytest.mark.parametrize(
    "text", ["", "tw_key_", "sk-abc", "key_8fQ2mZ0pLx1a", "tw_key_" + "0" * 61]
)
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert id_of_key(text) is None
    with pytest.raises(ValueError, match="not an API key"):
        recorded(text, HOLDER, PEPPER, 1)


def test_what_is_kept_holds_the_secret_in_no_form() -> None:
    key = new_key(bytes(range(60, 101)))
    kept = msgspec.json.encode(recorded(key, HOLDER, PEPPER, 1)).decode()
    secret = key[19:62]
    assert not any(secret[at : at + 5] in kept for at in range(len(secret) - 5))


def test_hashes_depend_on_the_pepper_and_peppers_can_be_told_apart() -> None:
    key = new_key(bytes(range(41)))
    assert digest_of(key, PEPPER) != digest_of(key, OTHER_PEPPER)
    assert name_of_pepper(PEPPER) != name_of_pepper(OTHER_PEPPER)
    assert len(name_of_pepper(PEPPER)) == 8
