"""`turnwire keys` where nothing runs, and what a start makes of keys that are there or not."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from turnwire_chassis.api_keys.key_text import KEY_PATTERN
from turnwire_dev.testing import WITHIN, Doctor, StartUp
from turnwire_testing.python_programs import turnwire

pytestmark = pytest.mark.process

OURS = {"TURNWIRE_NATS_URL": ""}
EVERYWHERE = {**OURS, "TURNWIRE_HOST": "0.0.0.0"}
CREATE = ("create", "--tenant", "acme", "--user", "ada", "--role", "admin", "--label", "laptop")


async def keys(environment: Mapping[str, str], *arguments: str) -> tuple[int, list[str], str]:
    """Run `turnwire keys` on a folder that nobody has; gives code, lines, and complaints."""
    told = {**environment, **OURS}
    ran = await turnwire(("keys", *arguments), told, Path.cwd(), WITHIN)
    return ran.exit_code, ran.printed.splitlines(), ran.errors


async def test_where_others_could_ask_nothing_starts_before_there_is_a_key(
    environment: Mapping[str, str], start_up: StartUp, doctor: Doctor
) -> None:
    refused = await start_up(**EVERYWHERE)
    assert await refused.ends() == 2
    assert "turnwire keys create" in refused.text

    code, made, _ = await keys(environment, *CREATE)
    assert code == 0
    assert re.fullmatch(KEY_PATTERN, made[-1])

    code, listed, _ = await keys(environment, "list")
    assert code == 0
    assert "laptop" in listed[-1]
    assert made[-1] not in "\n".join(listed)
    assert "keys: are on" in (await doctor(**OURS))[1]

    terms = ("--scope", "write", "--scope", "read", "--expires", "30d")
    code, told, _ = await keys(environment, *CREATE, *terms, "-o", "json")
    as_json = json.loads("\n".join(told))
    assert (code, as_json["user"], as_json["role"]) == (0, "ada", "admin")
    assert as_json["scopes"] == ["read", "write"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", as_json["expires"])
    assert re.fullmatch(KEY_PATTERN, as_json["key"])
    _, told, _ = await keys(environment, "revoke", as_json["id"], "-o", "json")
    assert json.loads("\n".join(told)) == {"id": as_json["id"], "revoked_now": True}
    _, told, _ = await keys(environment, "list", "-o", "json")
    assert [
        (each["label"], bool(each["revoked"]), each["scopes"], bool(each["expires"]))
        for each in map(json.loads, told)
    ] == [
        ("laptop", False, "read,write,admin", False),
        ("laptop", True, "read,write", True),
    ]

    up = await (await start_up(**EVERYWHERE)).is_up()
    assert up.process.returncode is None


async def test_a_broker_of_ones_own_needs_a_pepper_that_the_gateways_have(
    environment: Mapping[str, str], nats_url: str
) -> None:
    told = {**environment, "TURNWIRE_NATS_URL": nats_url}
    ran = await turnwire(("keys", *CREATE), told, Path.cwd(), WITHIN)
    assert (ran.exit_code, ran.printed) == (2, "")
    assert "TURNWIRE_KEY_PEPPER is missing" in ran.errors


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        (("--expires", "soon"), "--expires: soon is no time"),
        (("--expires", "2020-01-01"), "--expires: a time that is still to come"),
        (("--role", "root"), "root"),
        (("--scope", "all"), "all"),
    ],
)
async def test_terms_that_cannot_be_are_refused_by_name_before_anything_is_started(
    environment: Mapping[str, str], terms: tuple[str, ...], complaint: str
) -> None:
    code, printed, complaints = await keys(environment, *CREATE, *terms)
    assert (code, printed) == (2, [])
    assert complaint in complaints
