"""Without keys no web page of another origin gets anything, and all other clients do (sockets)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec
import orjson
import pytest
from websockets.exceptions import InvalidStatus

from turnwire_chassis.settings import SettingsError
from turnwire_contracts.queries import BACKEND_MODELS, Models
from turnwire_gateway.api.web_access import read_web_access
from turnwire_gateway.app import build
from turnwire_testing.gateway import Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request
from turnwire_testing.sockets import connected

BODY = orjson.dumps({"model": "m", "input": "Hello?"})
PAGE = "https://app.example"
HERE = "Host: 127.0.0.1:8080"

OURS = [
    "localhost",
    "localhost:8080",
    "LocalHost:8080",
    "LOCALHOST:",
    "  localhost:8080  ",
    "\t127.0.0.1:8080 \t",
    "localhost.",
    "localhost.:8080",
    "api.localhost:8080",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.9.9.9:1",
    "[::1]",
    "[::1]:8080",
    "[0:0:0:0:0:0:0:1]:8080",
    "[::ffff:127.0.0.1]:8080",
    "turnwire.test",
    "TURNWIRE.test.:8080",
    "host.docker.internal:8080",
    "[fd00::7]:8080",
]

FOREIGN = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "evil-localhost",
    "xlocalhost:8080",
    "127.0.0.1.nip.io",
    "127.0.0.1.evil.example:8080",
    "localhost@evil.example",
    "evil.example@localhost",
    "user:pw@127.0.0.1:8080",
    "127.0.0.1:8080@evil.example",
    "127.0.0.1:8080:80",
    "127.0.0.1:80x",
    "127.0.0.1/evil.example",
    "127.0.0.1, evil.example",
    "127.0.0.1 evil.example",
    "localhost..",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0:8080",
    "[::]:8080",
    "10.0.0.7:8080",
    "128.0.0.1",
    "[fe80::1]:8080",
    "[fe80::1%25lo]",
    "[::1%25lo]:8080",
    "[::1%lo]",
    "127.1",
    ".localhost",
    "localhost,localhost",
    "[::1",
    "::1",
    "[::1]evil.example",
    "[evil.example]",
    "",
    "xn--localhost",
    "l\u00f6calhost",
]

PAGES = [
    ["Origin: http://evil.example"],
    ["Origin: https://evil.example:8080"],
    ["Origin: null"],
    ["Origin: "],
    ["Origin: http://localhost:3000"],
    ["Origin: http://127.0.0.1"],
    ["Origin: https://127.0.0.1"],
    ["Origin: http://127.0.0.1:8080.evil.example"],
    ["Origin: http://127.0.0.1:8080@evil.example"],
    ["Origin: http://evil.example#127.0.0.1:8080"],
    ["Origin: http://127.0.0.1:8080/"],
    ["Origin: https://app.example.evil"],
    ["Origin: https://app.example:444"],
    ["Origin: http://app.example"],
    ["Origin: chrome-extension://abcdefgh"],
    ["Origin: file://"],
    ["Origin: *"],
    ["Origin: https://app.example", "Origin: http://evil.example"],
    ["Origin: http://evil.example", "Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: cross-site"],
    ["Sec-Fetch-Site: same-site"],
    ["Sec-Fetch-Site: Cross-Site"],
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: none"],
    ["Sec-Fetch-Site: "],
    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
    ["Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: cross-site"],
]

NO_PAGES = [
    [],
    ["Origin: http://127.0.0.1:8080"],
    ["Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-origin"],
    ["Sec-Fetch-Site: none"],
    ["Origin: https://app.example", "Sec-Fetch-Site: cross-site"],
    ["Origin: http://localhost:5173", "Sec-Fetch-Site: same-site"],
    ["X-Forwarded-Host: evil.example", "Forwarded: host=evil.example"],
    ["Referer: http://evil.example/"],
    ["User-Agent: Mozilla/5.0"],
]

ROUTES = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/v1/models"),
    ("HEAD", "/v1/models"),
    ("GET", "/models"),
    ("GET", "/v1/conversations"),
    ("GET", "/v1/responses/resp_00000000000000000000000000000000"),
    ("DELETE", "/v1/responses/resp_00000000000000000000000000000000"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/responses/"),
    ("POST", "/responses"),
    ("POST", "/v1/check"),
    ("POST", "/v1/conversations"),
    ("OPTIONS", "/v1/responses"),
    ("PUT", "/nothing"),
]


@dataclass
class Gateway:
    """A gateway on a socket, and whether it has keys."""

    api: Api
    url: str = ""
    open: bool = True

    async def ask(self, method: str, target: str, *headers: str, body: bytes = b"") -> Reply:
        """Ask on a connection of its own."""
        async with raw(self.url) as connection:
            await connection.send(request(method, target, list(headers), body))
            return await connection.reply(head=method == "HEAD")


@pytest.fixture
async def gateway(api: Api) -> AsyncGenerator[Gateway]:
    """A gateway without keys, one page and three hosts being allowed."""
    await api.answers(
        BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(Models(msgspec.Raw(b"{}")))
    )
    hosts = "turnwire.test, Host.Docker.Internal,[fd00::7],"
    access = read_web_access("localhost", hosts, f"{PAGE}/,HTTP://localhost:5173")
    found = Gateway(api)
    world = msgspec.structs.replace(api.world, access=access, is_open=lambda: found.open)
    async with listening(build(world)) as url:
        found.url = url
        yield found


async def test_names_of_this_machine_and_those_allowed_are_served(gateway: Gateway) -> None:
    statuses = {
        host: (await gateway.ask("POST", "/v1/responses", f"Host: {host}", body=BODY)).status
        for host in OURS
    }
    assert statuses == dict.fromkeys(OURS, 200)


async def test_any_other_host_is_refused(gateway: Gateway) -> None:
    for host in FOREIGN:
        for method, body in (("GET", b""), ("POST", BODY)):
            reply = await gateway.ask(method, "/v1/models", f"Host: {host}", body=body)
            assert (reply.status, reply.code) == (403, "host_not_allowed"), host
            assert "TURNWIRE_ALLOWED_HOSTS" in reply.json["error"]["message"]
    assert gateway.api.log.requests == []


async def test_requests_of_other_pages_are_refused(gateway: Gateway) -> None:
    for headers in PAGES:
        kinds = ("text/plain", "application/json", "application/x-www-form-urlencoded")
        for told in ([], *([f"Content-Type: {kind}"] for kind in kinds)):
            reply = await gateway.ask("POST", "/v1/responses", HERE, *headers, *told, body=BODY)
            assert (reply.status, reply.code) == (403, "origin_not_allowed"), headers
            assert "TURNWIRE_CORS_ORIGINS" in reply.json["error"]["message"]
            assert reply.header("x-request-id")
    assert gateway.api.log.requests == []


@pytest.mark.parametrize("told", NO_PAGES, ids=str)
@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/json", "application/x-www-form-urlencoded"]
)
async def test_whatever_is_no_other_page_is_served(
    gateway: Gateway, told: list[str], kind: str | None
) -> None:
    kinds = [] if kind is None else [f"Content-Type: {kind}"]
    reply = await gateway.ask("POST", "/v1/responses", HERE, *told, *kinds, body=BODY)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize(("method", "target"), ROUTES)
async def test_no_route_is_left_out(gateway: Gateway, method: str, target: str) -> None:
    body = BODY if method == "POST" else b""
    pages = [HERE, "Origin: http://evil.example"], [HERE, "Sec-Fetch-Site: cross-site"]
    for headers in (["Host: evil.example:8080"], *pages):
        reply = await gateway.ask(method, target, *headers, body=body)
        assert reply.status == 403, headers
    assert (await gateway.ask(method, target, HERE, body=body)).status != 403


@pytest.mark.parametrize(
    "told",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_a_websocket_of_a_page_is_refused_before_it_opens(
    gateway: Gateway, told: dict[str, str]
) -> None:
    headers = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    headers += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    headers += [f"{name}: {value}" for name, value in {"Host": "localhost", **told}.items()]
    reply = await gateway.ask("GET", "/v1/responses", *headers)
    assert reply.status == 403
    assert reply.code in ("host_not_allowed", "origin_not_allowed")


async def test_a_websocket_of_a_program_or_of_a_listed_page_opens(gateway: Gateway) -> None:
    for told in ({}, {"Origin": PAGE}):
        async with connected(gateway.url, told) as socket:
            assert (await socket.response(model="m", input="Hello?"))["status"] == "completed"
    with pytest.raises(InvalidStatus):
        async with connected(gateway.url, {"Origin": "https://evil.example"}):
            pass


async def test_one_host_is_needed(gateway: Gateway) -> None:
    for hosts in ([], [HERE, HERE], [HERE, "Host: evil.example"], ["Host: evil.example", HERE]):
        reply = await gateway.ask("GET", "/v1/models", *hosts)
        assert (reply.status, reply.json["error"]["param"]) == (400, "host"), hosts


async def test_a_probe_of_http_1_0_needs_no_host(gateway: Gateway) -> None:
    async with raw(gateway.url) as connection:
        await connection.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await connection.rest()).startswith(b"HTTP/1.1 200 ")


async def test_a_request_target_with_a_host_counts_more_than_the_header(gateway: Gateway) -> None:
    there = await gateway.ask("GET", "http://evil.example/v1/models", HERE)
    assert (there.status, there.code) == (403, "host_not_allowed")
    here = await gateway.ask("GET", "http://localhost:8080/v1/models", "Host: evil.example")
    assert here.status == 200


async def test_with_keys_any_name_and_page_may_ask_who_shows_one(gateway: Gateway) -> None:
    gateway.open = False
    for headers in (["Host: 10.0.0.7:8080"], ["Host: evil.example"], [HERE, *PAGES[0]], []):
        reply = await gateway.ask("POST", "/v1/responses", *headers, body=BODY)
        assert reply.status == 200, headers
    gateway.open = True
    reply = await gateway.ask("POST", "/v1/responses", "Host: 10.0.0.7:8080", body=BODY)
    assert reply.status == 403


async def test_all_origins_are_none_without_keys(api: Api) -> None:
    access = read_web_access("127.0.0.1", "", "*")
    world = msgspec.structs.replace(api.world, access=access, is_open=lambda: True)
    async with listening(build(world)) as url:
        for origin in ("https://evil.example", "*", "null"):
            reply = await Gateway(api, url).ask(
                "POST", "/v1/responses", HERE, f"Origin: {origin}", body=BODY
            )
            assert (reply.status, reply.code) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("hosts", "origins", "complaint"),
    [
        ("https://a.example", "", "TURNWIRE_ALLOWED_HOSTS: 'https://a.example' is no host name"),
        ("a.example:8080", "", "without port"),
        ("*", "", "TURNWIRE_ALLOWED_HOSTS: '\\*'"),
        ("a b", "", "'a b' is no host name"),
        ("", "app.example", "TURNWIRE_CORS_ORIGINS: 'app.example' is no origin"),
        ("", "https://app.example/path", "without path"),
        ("", "https://*.example", "is no origin"),
        ("", "null", "any page can have that origin"),
        ("", "https://me@app.example", "is no origin"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    hosts: str, origins: str, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        read_web_access("127.0.0.1", hosts, origins)


def test_origins_are_read_as_browsers_write_them() -> None:
    text = "HTTPS://App.example:443/, http://localhost:80 ,http://localhost:3000,tauri://localhost"
    assert read_web_access("127.0.0.1", "", text).origins == {
        "https://app.example",
        "http://localhost",
        "http://localhost:3000",
        "tauri://localhost",
    }
