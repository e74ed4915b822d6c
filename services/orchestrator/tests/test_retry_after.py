"""When a backend wants to be asked again is read from whatever header says it."""

import pytest

from turnwire_orchestrator.inference.retry_after import retry_after_s

NOW_S = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT"""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0.2"}, 1),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "99999999"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT"}, 10),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:27 GMT"}, 1),
        ({"retry-after": "Sunday, 06-Nov-94 08:49:47 GMT"}, 10),
        ({"retry-after": "Mon, 99 Nov 1994 08:49:47 GMT"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 2),
        ({"retry-after-ms": "?", "retry-after": "9"}, 9),
    ],
)
def test_seconds_dates_and_milliseconds_are_read(
    headers: dict[str, str], seconds: int | None
) -> None:
    assert retry_after_s(503, headers, NOW_S) == seconds


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("120ms", 1), ("8.64s", 9), ("6m0s", 360), ("1h2m3s", 3723), ("1d", 86_400), ("7", 7),
        ("", None), ("soon", None), ("s", None),
    ],
)  # fmt: skip
def test_the_reset_of_a_limit_that_is_used_up_says_it_too(reset: str, seconds: int | None) -> None:
    headers = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset}
    assert retry_after_s(429, headers, NOW_S) == seconds
    assert retry_after_s(503, headers, NOW_S) is None
    assert retry_after_s(429, {**headers, "retry-after": "2"}, NOW_S) == 2
    assert retry_after_s(429, {**headers, "x-ratelimit-remaining-tokens": "1"}, NOW_S) is None
