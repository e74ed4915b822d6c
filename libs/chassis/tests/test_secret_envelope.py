"""Sealed secrets: they open for who may, as long as they may, and tell nobody else anything."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.tool_servers.secret_envelope import (
    Purpose,
    Sealer,
    SealError,
    ToolServerSecrets,
)
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.tools import ToolServer

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
NOW, LATER = 1_800_000_000_000, 1_800_000_600_000

tenants = st.text(max_size=9).map(TenantId)
purposes = st.builds(
    Purpose,
    tenant=tenants,
    response_id=st.text(max_size=9).map(ResponseId),
    label=st.text(max_size=9),
    url=st.text(max_size=9),
)
secrets = st.builds(
    ToolServerSecrets,
    authorization=st.none() | st.text(),
    headers=st.dictionaries(st.text(), st.text(), max_size=4),
)
PURPOSE = Purpose.of(
    TenantId("acme"), ResponseId("resp_1"), ToolServer("tools", "https://tools.example/mcp")
)
SECRET = ToolServerSecrets("sk-live-0123456789abcdef", {"X-Key": "hunter2 hunter2 hunter2"})


def opened(
    sealed: str, purpose: Purpose = PURPOSE, now_ms: int = NOW, keys: tuple[bytes, ...] = (KEY,)
) -> ToolServerSecrets:
    return Sealer(keys).open(sealed, ToolServerSecrets, purpose, now_ms)


def refused(
    sealed: str, purpose: Purpose = PURPOSE, now_ms: int = NOW, keys: tuple[bytes, ...] = (KEY,)
) -> str:
    with pytest.raises(SealError) as error:
        opened(sealed, purpose, now_ms, keys)
    assert error.value.__cause__ is None
    return error.value.code


@given(secrets, purposes)
def test_what_was_sealed_is_what_is_opened(secret: ToolServerSecrets, purpose: Purpose) -> None:
    sealed = Sealer([KEY]).seal(secret, purpose, LATER)
    assert opened(sealed, purpose) == secret


@given(purposes, purposes)
def test_it_opens_for_no_other_purpose(purpose: Purpose, other: Purpose) -> None:
    sealed = Sealer([KEY]).seal(SECRET, purpose, LATER)
    if other != purpose:
        assert refused(sealed, other) == "unreadable"


def test_what_moves_from_one_part_of_a_purpose_to_the_next_is_another_purpose() -> None:
    one = Purpose(TenantId("a"), ResponseId("bc"), "", "d")
    two = Purpose(TenantId("ab"), ResponseId("c"), "d", "")
    assert refused(Sealer([KEY]).seal(SECRET, one, LATER), two) == "unreadable"


def test_no_byte_can_be_changed() -> None:
    sealed = Sealer([KEY]).seal(SECRET, PURPOSE, LATER)
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    for place in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[place] ^= 1 << bit
            text = base64.urlsafe_b64encode(changed).decode().rstrip("=")
            assert refused(text) == "unreadable"


@given(st.integers(0, 400), st.characters())
def test_no_character_can_be_changed(place: int, character: str) -> None:
    sealed = Sealer([KEY]).seal(SECRET, PURPOSE, LATER)
    place %= len(sealed)
    changed = sealed[:place] + character + sealed[place + 1 :]
    if changed != sealed:
        assert refused(changed) == "unreadable"


@given(st.text())
def test_any_other_text_is_unreadable(text: str) -> None:
    assert refused(text) == "unreadable"
    assert refused(Sealer([KEY]).seal(SECRET, PURPOSE, LATER)[: len(text)]) == "unreadable"


def test_it_opens_until_it_expires() -> None:
    sealed = Sealer([KEY]).seal(SECRET, PURPOSE, LATER)
    assert opened(sealed, now_ms=LATER - 1) == SECRET
    assert refused(sealed, now_ms=LATER) == "expired"


def test_another_key_does_not_open_it() -> None:
    assert refused(Sealer([KEY]).seal(SECRET, PURPOSE, LATER), keys=(OTHER,)) == "unreadable"


def test_a_key_is_changed_without_losing_what_is_on_its_way() -> None:
    old = Sealer([KEY]).seal(SECRET, PURPOSE, LATER)
    new = Sealer([OTHER, KEY]).seal(SECRET, PURPOSE, LATER)

    assert opened(old, keys=(OTHER, KEY)) == opened(new, keys=(OTHER,)) == SECRET
    assert refused(new, keys=(KEY,)) == "unreadable"


def test_the_same_secret_never_looks_the_same_and_its_length_says_little() -> None:
    sealer = Sealer([KEY])
    empty = sealer.seal(ToolServerSecrets(), PURPOSE, LATER)
    short = sealer.seal(ToolServerSecrets("x" * 20), PURPOSE, LATER)
    again = sealer.seal(ToolServerSecrets("x" * 20), PURPOSE, LATER)

    assert short != again
    assert len(empty) == len(short) == len(again)


@given(st.text(min_size=8), st.dictionaries(st.text(), st.text(min_size=8), max_size=2))
def test_nothing_of_a_secret_can_be_seen(authorization: str, headers: dict[str, str]) -> None:
    secret = ToolServerSecrets(authorization, headers)
    sealed = Sealer([KEY]).seal(secret, PURPOSE, LATER)
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))

    for plain in (value.encode() for value in (authorization, *headers.values())):
        for shown in (plain, base64.b64encode(plain), plain.hex().encode()):
            for place in range(len(shown) - 7):
                assert shown[place : place + 8] not in raw
                assert shown[place : place + 8] not in sealed.encode()
    assert authorization not in repr(secret)


@pytest.mark.parametrize(
    "setting",
    [
        base64.b64encode(KEY).decode(),
        base64.b64encode(KEY).decode().rstrip("="),
        base64.urlsafe_b64encode(KEY).decode(),
        KEY.hex(),
        KEY.hex().upper(),
        f" {KEY.hex()} , {base64.b64encode(OTHER).decode()} ",
    ],
)
def test_keys_are_read_from_base64_and_hex(setting: str) -> None:
    sealed = Sealer.parse(setting).seal(SECRET, PURPOSE, LATER)
    assert opened(sealed) == SECRET


@pytest.mark.parametrize(
    "setting", ["", ",", "secret-key", KEY.hex()[:-2], KEY.hex() + "00", f"{KEY.hex()},", "é" * 32]
)
def test_a_key_that_is_none_is_refused_and_not_quoted(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"TURNWIRE_SEAL_KEY: key \d must be 32") as refusal:
        Sealer.parse(setting)
    assert len(setting) < 2 or setting not in str(refusal.value)


def test_a_sealer_does_not_show_its_keys() -> None:
    sealer = Sealer([KEY])
    assert KEY.hex() not in repr(sealer)
    assert str(KEY) not in repr(vars(sealer))
