"""A broker is named by the URL of one server or of several; no password is told."""

import os
import subprocess
import sys

import pytest

from turnwire_chassis.broker_access.server_urls import (
    ServerUrls,
    ServerUrlsError,
    parse_server_urls,
)
from turnwire_chassis.settings import ServiceSettings, SettingsError, load

PASSWORD = "hunter2"  # noqa: S105 -- what must not be told


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("nats://a:4222", ["nats://a:4222"]),
        ("nats://a:4222,nats://b:4223,nats://c", ["nats://a:4222", "nats://b:4223", "nats://c:4222"]),
        (" nats://a , b:1\n, c ,", ["nats://a:4222", "nats://b:1", "nats://c:4222"]),
        ("a b\tc", ["nats://a:4222", "nats://b:4222", "nats://c:4222"]),
        ("nats://a,nats://a:4222/,a", ["nats://a:4222"]),
        ("NATS://A:4222,TLS://b", ["nats://a:4222", "tls://b:4222"]),
        ("nats.default.svc.cluster.local", ["nats://nats.default.svc.cluster.local:4222"]),
        ("nats_1:", ["nats://nats_1:4222"]),
        ("::1,[::1]:5,nats://[fe80::2]", ["nats://[::1]:4222", "nats://[::1]:5", "nats://[fe80::2]:4222"]),
        ("ws://a,wss://b/nats", ["ws://a:80", "wss://b:443/nats"]),
    ],
)  # fmt: skip
def test_urls_are_read_with_or_without_what_goes_without_saying(text: str, urls: list[str]) -> None:
    assert parse_server_urls(text) == ServerUrls(tuple(urls))


@pytest.mark.parametrize(
    ("text", "credentials"),
    [
        ("nats://me:pw@a:1,nats://me:pw@b", {"user": "me", "password": "pw"}),
        ("me:pw@a,b", {"user": "me", "password": "pw"}),
        ("a,nats://me:p%2Cw%40@b", {"user": "me", "password": "p,w@"}),
        ("nats://me:p@w/#?@a", {"user": "me", "password": "p@w/#?"}),
        ("nats://me:@a", {"user": "me", "password": ""}),
        ("nats://t%3Aoken@a", {"token": "t:oken"}),
        ("nats://@a", {}),
    ],
)
def test_one_user_speaks_to_all_servers(text: str, credentials: dict[str, str]) -> None:
    read = parse_server_urls(text)
    assert dict(read.credentials) == credentials
    assert "@" not in str(read)
    assert "pw" not in repr(read)


IMPOSSIBLE = [
    ("", "names no server"),
    (" , ", "names no server"),
    ("http://a", "http://a has no scheme of a broker"),
    ("nats:/a", "nats:/a says more than"),
    ("nats://", "nats:// has no host"),
    ("nats://:4222", "nats://:4222 has no host"),
    ("nats://a,nats://b:high", "nats://b:high has a port"),
    ("a:0", "a:0 has a port"),
    ("a:65536", "a:65536 has a port"),
    ("nats://[::1", "nats://\\[::1 has no host"),
    ("nats://[zz]:1", "has no host"),
    ("nats://${HOST}:4222", "has no host"),
    ("nats://a/b", "nats://a/b says more than"),
    ("nats://a?tls=1", "says more than"),
    ("nats://a;nats://b", "has a port|has no host"),
    ("nats://a,ws://b", "mixes WebSocket"),
    (f"nats://me:{PASSWORD}@a,nats://you:{PASSWORD}@b", "different credentials"),
    (f"nats://me:x,{PASSWORD}@a", "URL 1 of 2 has a port"),
    (f"nats://me:{PASSWORD},x@a", "URL 1 of 2 has a port"),
    (f"nats://me:{PASSWORD}@a:port", "URL 1 of 1 has a port"),
    (f"me:{PASSWORD}@a b@c:d:e", "URL 2 of 2 has"),
]


@pytest.mark.parametrize(("text", "fault"), IMPOSSIBLE)
def test_urls_that_cannot_be_are_refused_by_their_fault(text: str, fault: str) -> None:
    with pytest.raises(ServerUrlsError, match=fault):
        parse_server_urls(text)


@pytest.mark.parametrize(("text", "fault"), IMPOSSIBLE)
def test_the_setting_is_named_on_one_line_and_its_password_is_not(
    monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    monkeypatch.setenv("TURNWIRE_NATS_URL", text)
    with pytest.raises(SettingsError, match=f"^TURNWIRE_NATS_URL: .*({fault})") as told:
        load(ServiceSettings)
    assert PASSWORD not in str(told.value)
    assert "\n" not in str(told.value)


SERVICES = ["gateway", "orchestrator", "store", "guard", "tool_runner"]
COMMANDS = [
    ["up"],
    ["broker-replay", "resp_" + 32 * "0"],
    ["audit"],
    ["keys", "list"],
    ["erase", "--tenant", "t", "--yes"],
]


@pytest.mark.process
@pytest.mark.parametrize(
    "program",
    [[f"turnwire_{name}"] for name in SERVICES] + [["turnwire_dev", *each] for each in COMMANDS],
    ids=" ".join,
)
def test_every_program_ends_with_one_line_and_code_2(program: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *program],
        env={**os.environ, "TURNWIRE_NATS_URL": f"nats://me:{PASSWORD}@a,nats://b:high"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "TURNWIRE_NATS_URL: URL 2 of 2 has a port" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert PASSWORD not in ended.stderr + ended.stdout
