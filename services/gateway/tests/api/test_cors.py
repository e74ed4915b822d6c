"""Web pages of listed origins may read every answer; all others get no permission (sockets)."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import orjson
import pytest

from turnwire_gateway.api.web_access import read_web_access
from turnwire_gateway.app import build
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import wrong_credentials
from turnwire_testing.gateway import Api, by_name
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request

HOST = "Host: api.example"
PAGE = "https://app.example"
BODY = orjson.dumps({"model": "m", "input": "Hello?"})


async def with_a_key(authorization: str | None) -> Caller:
    """Refuse requests without a token."""
    if authorization is None:
        raise wrong_credentials()
    return await by_name(authorization)


class Gateway:
    """A gateway on a socket."""

    def __init__(self, api: Api, url: str) -> None:
        """Ask it at `url`."""
        self.api = api
        self.url = url

    async def ask(self, method: str, target: str, *headers: str, body: bytes = b"") -> Reply:
        """Ask on a connection of its own."""
        async with raw(self.url) as connection:
            await connection.send(request(method, target, [HOST, *headers], body))
            return await connection.reply(head=method == "HEAD")

    async def preflight(self, origin: str, method: str = "POST", *headers: str) -> Reply:
        """Ask as a browser does before it sends what a page wants to send."""
        fields = [f"Origin: {origin}", f"Access-Control-Request-Method: {method}", *headers]
        return await self.ask("OPTIONS", "/v1/responses", *fields)


async def gateway_with(api: Api, origins: str, **changes: Any) -> AsyncGenerator[Gateway]:
    """Serve a gateway that wants a token."""
    access = read_web_access("127.0.0.1", "", origins)
    world = msgspec.structs.replace(api.world, identify=with_a_key, access=access, **changes)
    async with listening(build(world)) as url:
        yield Gateway(api, url)


@pytest.fixture
async def gateway(api: Api) -> AsyncGenerator[Gateway]:
    """One page is listed."""
    async for each in gateway_with(api, f"{PAGE},http://localhost:3000"):
        yield each


@pytest.fixture
async def for_all(api: Api) -> AsyncGenerator[Gateway]:
    """All pages are."""
    async for each in gateway_with(api, "*"):
        yield each


@pytest.fixture
async def for_none(api: Api) -> AsyncGenerator[Gateway]:
    """None is, as by default."""
    async for each in gateway_with(api, ""):
        yield each


SHOWN = "Authorization: Bearer acme/ada"


async def test_a_preflight_needs_no_token(gateway: Gateway) -> None:
    asked = "Access-Control-Request-Headers: authorization,content-type,x-stainless-lang"
    for origin in (PAGE, "http://localhost:3000"):
        for method in ("GET", "POST", "DELETE", "PATCH"):
            reply = await gateway.preflight(origin, method, asked)
            assert (reply.status, reply.header("access-control-allow-origin")) == (200, origin)
            assert method in (reply.header("access-control-allow-methods") or "")
            assert "authorization" in (reply.header("access-control-allow-headers") or "")
            assert reply.header("access-control-allow-credentials") is None
            assert reply.header("x-request-id")


async def test_a_preflight_from_the_net_to_this_machine_is_allowed(gateway: Gateway) -> None:
    reply = await gateway.preflight(PAGE, "POST", "Access-Control-Request-Private-Network: true")
    assert reply.header("access-control-allow-private-network") == "true"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://app.example.evil", "http://app.example", "*", ""],
)
async def test_other_pages_get_no_permission(gateway: Gateway, origin: str) -> None:
    reply = await gateway.preflight(origin)
    assert (reply.status, reply.code) == (403, "origin_not_allowed")
    assert reply.header("access-control-allow-origin") is None
    assert "TURNWIRE_CORS_ORIGINS" in reply.json["error"]["message"]
    # Who shows a token is no page that was talked into it.
    said = await gateway.ask("POST", "/v1/responses", f"Origin: {origin}", SHOWN, body=BODY)
    assert (said.status, said.header("access-control-allow-origin")) == (200, None)
    assert "Origin" in (said.header("vary") or "")


async def test_every_answer_can_be_read_by_the_page(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f"Origin: {PAGE}"
    streamed = orjson.dumps({"model": "m", "input": "Hello?", "stream": True})
    replies = [
        (200, await gateway.ask("POST", "/v1/responses", page, SHOWN, body=BODY)),
        (200, await gateway.ask("POST", "/v1/responses", page, SHOWN, body=streamed)),
        (200, await gateway.ask("HEAD", "/", page)),
        (400, await gateway.ask("POST", "/v1/responses", page, SHOWN, body=b"{")),
        (401, await gateway.ask("POST", "/v1/responses", page, body=BODY)),
        (404, await gateway.ask("GET", "/nothing", page, SHOWN)),
        (405, await gateway.ask("PUT", "/v1/responses/", page, SHOWN)),
        (403, await gateway.ask("GET", "/v1/conversations?include_deleted=true", page, SHOWN)),
    ]

    async def break_down(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(gateway.api.log, "append", break_down)
    broken = await gateway.ask("POST", "/v1/responses", page, SHOWN, body=BODY)
    for status, reply in [*replies, (500, broken)]:
        assert (reply.status, reply.header("access-control-allow-origin")) == (status, PAGE)
        exposed = reply.header("access-control-expose-headers") or ""
        assert {"x-request-id", "x-response-id", "retry-after", "x-should-retry"} <= set(
            exposed.split(", ")
        )
        assert "x-ratelimit-remaining-tokens" in exposed
        assert reply.header("x-request-id")


async def test_a_stream_is_not_held_back(gateway: Gateway) -> None:
    gateway.api.log.busy = True
    async with raw(gateway.url) as connection:
        body = orjson.dumps({"model": "m", "input": "Hi", "stream": True, "background": True})
        headers = [HOST, f"Origin: {PAGE}", SHOWN]
        await connection.send(request("POST", "/v1/responses", headers, body))
        status, headers = await connection.head()
        # The turn has not ended: only what came before it can have been sent.
        assert (status, dict(headers)["access-control-allow-origin"]) == (200, PAGE)
        (wanted,) = gateway.api.log.requests
        await gateway.api.log.finish(wanted)
        assert (await connection.chunks()).endswith(b"data: [DONE]\n\n")


async def test_all_pages_may_ask_when_that_is_said(for_all: Gateway) -> None:
    for origin in ("https://any.example", "null"):
        preflight = await for_all.preflight(origin)
        assert (preflight.status, preflight.header("access-control-allow-origin")) == (200, "*")
        reply = await for_all.ask("POST", "/v1/responses", f"Origin: {origin}", SHOWN, body=BODY)
        assert (reply.status, reply.header("access-control-allow-origin")) == (200, "*")


async def test_it_is_off_unless_it_is_set(for_none: Gateway) -> None:
    assert (await for_none.preflight(PAGE)).status == 401
    reply = await for_none.ask("GET", "/", f"Origin: {PAGE}")
    assert (reply.status, reply.header("access-control-allow-origin")) == (200, None)
    assert reply.header("vary") is None


async def test_without_keys_a_listed_page_reads_why_it_is_refused(api: Api) -> None:
    async for gateway in gateway_with(api, PAGE, is_open=lambda: True):
        reply = await gateway.ask("GET", "/v1/conversations", f"Origin: {PAGE}")
        assert (reply.status, reply.code) == (403, "host_not_allowed")
        assert reply.header("access-control-allow-origin") == PAGE
