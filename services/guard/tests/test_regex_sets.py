"""The sets that are shipped, words and hosts: what they find, and what they leave alone."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.yaml_place import read_yaml
from turnwire_contracts.queries import AskForCheck
from turnwire_guard.pipeline import Provider
from turnwire_guard.providers.regex import provider as regex
from turnwire_guard.providers.regex.numbers import is_card_number

LINEAR_S = 5.0
"""Of the processor's time; what is not linear takes hours."""


def provider(settings: str) -> Provider:
    return regex.build(read_yaml(settings, "p.yaml"))


def found(judge: Provider, content: str) -> dict[str, str | None]:
    findings = asyncio.run(judge.judge(AskForCheck("input", content)))
    assert all(content not in (finding.reason or "") for finding in findings)
    return {finding.category: finding.reason for finding in findings}


PII = provider("sets: [pii]")
URLS = provider("sets: [suspicious-urls]")


@pytest.mark.parametrize(
    ("content", "category"),
    [
        ("write to jane.doe+x@mail.example.co.uk, please", "email"),
        ("call +49 (30) 123-456 78 now", "phone"),
        ("+14155550123", "phone"),
        ("(415) 555-0123", "phone"),
        ("IBAN DE89 3704 0044 0532 0130 00 AND MORE", "iban"),
        ("gb82west12345698765432", "iban"),
        ("card 4111 1111 1111 1111.", "credit_card"),
        ("no. 12 378282246310005 exp", "credit_card"),
        ("5555-5555-5555-4444", "credit_card"),
        ("order 77 4111111111111111 12", "credit_card"),
    ],
)
def test_personal_data_is_found_with_a_reason_that_does_not_repeat_it(
    content: str, category: str
) -> None:
    reason = found(PII, content)[category]

    assert reason
    assert reason.startswith("a")


@pytest.mark.parametrize(
    "content",
    [
        "me at home", "a@b", "@someone", "user@localhost",
        "4111 1111 1111 1112", "1234567890123456", "2026-11-27 01:10:00.123456",
        "DE89 3704 0044 0532 0130 01", "ZZ89 3704 0044 0532 0130 00",
        "version 1.2.3.4", "3.14159265358979", "+1 2", "1 + 2 + 3 = 6", "192.168.10.20",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)  # fmt: skip
def test_what_only_looks_like_personal_data_is_left_alone(content: str) -> None:
    assert found(PII, content) == {}


@given(st.integers(10**13, 10**14 - 1).map(lambda n: f"4{n}"))
def test_exactly_one_last_digit_makes_a_card_number(digits: str) -> None:
    assert sum(is_card_number(f"{digits}{last}") for last in range(10)) == 1


@pytest.mark.parametrize(
    ("content", "category"),
    [
        ("see https://bank.example@evil.example/x", "url_user"),
        ("see http://192.168.1.1/admin", "url_numeric"),
        ("see http://3232235777/", "url_numeric"),
        ("see http://0xC0.0xA8.1.1", "url_numeric"),
        ("see http://[::1]:8080/", "url_numeric"),
        ("see https://раураl.example", "url_homograph"),  # noqa: RUF001 -- that is the point
        ("see https://xn--80ak6aa92e.com/", "url_homograph"),
    ],
)
def test_addresses_that_deceive_are_found(content: str, category: str) -> None:
    assert list(found(URLS, content)) == [category]


@pytest.mark.parametrize(
    "content",
    [
        "https://example.com/a@b?c=1.2.3.4", "http://münchen.example", "https://пример.рф/",
        "https://1password.com", "www.example.com:8080", "no address", "https://", "http:///x",
    ],
)  # fmt: skip
def test_honest_addresses_are_left_alone(content: str) -> None:
    assert found(URLS, content) == {}


def test_words_are_found_whole_in_any_case_and_any_alphabet() -> None:
    judge = provider("words: {rude: [darn, 'übel', 'c++'], other: ['a.b']}")

    assert found(judge, "DARN it") == {"rude": "a blocked word"}
    assert found(judge, "Das ist ÜBEL.") == {"rude": "a blocked word"}
    assert found(judge, "I like C++ and A.B") == {
        "rude": "a blocked word",
        "other": "a blocked word",
    }
    assert found(judge, "darning übelst axb rübel") == {}


def test_many_words_are_one_search() -> None:
    words = ", ".join(f"word{n}x" for n in range(5000))
    judge = provider(f"words: {{many: [{words}]}}")

    assert found(judge, "a word4999x b") == {"many": "a blocked word"}
    assert found(judge, "a word5000x b") == {}


def test_hosts_are_found_with_all_that_is_below_them() -> None:
    judge = provider("hosts: {bad: [evil.example, Worse.example.]}")
    bad = {"bad": "an address of a blocked host"}

    assert found(judge, "go to https://evil.example/x") == bad
    assert found(judge, "http://A.B.EVIL.example.:80") == bad
    assert found(judge, "www.worse.example") == bad
    assert found(judge, "https://good.example@evil.example") == bad
    assert found(judge, r"https://evil.example\@good.example") == bad
    assert found(judge, "https://notevil.example/?evil.example") == {}
    assert found(judge, "evil.example") == {}


def test_sets_and_patterns_stand_in_the_order_of_the_policy() -> None:
    judge = provider("words: {w: [x]}\nsets: [pii]\npatterns: {p: [x]}")

    assert list(found(judge, "x a@b.example")) == ["w", "email", "p"]


@pytest.mark.parametrize(
    "content",
    [
        "1 " * 100_000,
        "4444 " * 40_000,
        "4" * 200_000,
        "a@" * 100_000,
        "DE89 " * 40_000,
        "http://" * 30_000,
    ],
    ids=["ones", "fours", "one number", "at", "iban", "urls"],
)
def test_content_made_to_be_slow_takes_time_linear_in_its_length(content: str) -> None:
    judge = provider("sets: [pii, suspicious-urls]\nhosts: {bad: [evil.example]}")

    started = time.process_time()
    found(judge, content)

    assert time.process_time() - started < LINEAR_S
