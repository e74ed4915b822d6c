"""What reaches a log: no secrets, no content, and still enough to find the place."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.redaction import (
    REDACTED,
    SECRETS_IN_TEXT,
    exception_places,
    redacted_fields,
    redacted_text,
    redacted_value,
)

SECRETS = {
    "bearer": "Bearer abc.def-123",
    "jwt": ".".join(("eyJ" + "a" * 20, "eyJ" + "b" * 12, "c" * 12)),
    "our key": "tw_live_" + "0123" * 4,
    "their key": "sk-proj-" + "0123" * 4,
    "seed": "SUAM" + "A2B3" * 13 + "AB",
    "base64": "q" * 43 + "=",
    "hex": "0f" * 32,
    "pem": "-----BEGIN {0}-----\nabc\n-----END {0}-----".format("RSA PRIVATE " + "KEY"),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_secret_is_taken_out_wherever_it_stands(secret: str) -> None:
    line = redacted_text(f'it said "{secret}", and went on')
    assert secret not in line
    assert REDACTED in line
    assert line.endswith("and went on")


FRAGMENTS = [
    *("://", "@", "Bearer", "Basic", " ", "eyJ", ".", "tw", "sk", "pk", "_", "-", "S", "U", "="),
    *("-----BEGIN ", "PRIVATE ", "KEY-----", "abcde", "0123456789", "A2B3C4", "\n", '"'),
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join))
def test_a_short_text_is_let_through_unread_only_if_no_secret_can_be_in_it(text: str) -> None:
    assert redacted_text(text) == SECRETS_IN_TEXT.sub(REDACTED, text)


def test_a_url_keeps_its_host_and_loses_its_credentials() -> None:
    credentials = "ann:pass"
    line = redacted_text(f"nats://{credentials}@host:4222 is gone")
    assert line == f"nats://{REDACTED}@host:4222 is gone"


@pytest.mark.parametrize(
    "text", ["resp_0123456789abcdef0123456789abcdef", "turn.acme.resp_1.closed", "took 12 ms"]
)
def test_ids_and_subjects_stay(text: str) -> None:
    assert redacted_text(text) == text


def test_a_field_with_the_name_of_a_secret_says_nothing() -> None:
    line = redacted_fields(
        {"authorization": "x", "api_key": "y", "seal_key": b"z", "input": ["words"]}
    )
    assert set(line.values()) == {REDACTED}


def test_what_is_no_plain_value_is_named_by_its_type() -> None:
    assert redacted_value("given", {"a": "words"}) == "<dict>"
    assert redacted_value("given", b"words") == "<bytes>"
    assert redacted_value("given", ValueError("words")) == "<ValueError>"
    assert redacted_value("given", ["id", 1, {"a": "words"}]) == ["id", 1, "<dict>"]
    assert redacted_value("input_tokens", 5) == 5


def test_an_exception_is_told_by_type_and_place_and_never_in_its_words() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        fail()
    lines = exception_places(caught.value)
    assert "secret" not in str(lines)
    assert [line for line in lines if not line.startswith("  ")] == [
        "builtins.ExceptionGroup",
        "builtins.ValueError",
    ]
    assert any("test_redaction.py" in line for line in lines)


def fail() -> None:
    """Raise an exception with a cause and with others in it."""
    cause = ValueError("a secret")
    raise ExceptionGroup("more secrets", [KeyError("secret")]) from cause


PROGRAM = """
import asyncio, logging, threading
import structlog
from turnwire_chassis.logs import start_logging

start_logging("test", "debug")
log = structlog.get_logger()
log.info("fine", response_id="resp_1", given={"said": "CANARY"}, authorization="CANARY")
logging.getLogger("library").error("failed on %s after %d", "CANARY", 3)
logging.getLogger("library").error("Task failed\\nfuture: CANARY")
try:
    raise ValueError("CANARY")
except ValueError:
    log.exception("caught")
    logging.getLogger("library").exception("caught too")

def fail() -> None:
    raise ValueError("CANARY")

thread = threading.Thread(target=fail)
thread.start()
thread.join()

async def main() -> None:
    asyncio.get_running_loop().create_task(lost())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

async def lost() -> None:
    raise ValueError("CANARY")

asyncio.run(main())
raise ValueError("CANARY")
"""


def test_a_process_writes_its_lines_and_those_of_libraries_without_what_they_were_about() -> None:
    ran = subprocess.run(
        (sys.executable, "-c", PROGRAM), check=False, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert "CANARY" not in ran.stderr
    lines = [json.loads(line) for line in ran.stderr.splitlines()]
    assert {line.get("service") for line in lines if line["event"] == "fine"} == {"test"}
    said = [line["event"] for line in lines]
    for event in ("fine", "failed on … after 3", "Task failed", "caught", "the process ends"):
        assert event in said, said
    assert "a thread ended" in said
    assert all("timestamp" in line for line in lines)
