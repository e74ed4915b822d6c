"""The way out, on real sockets: where it connects, whom it believes, and how much it reads."""

import asyncio
import gzip
import tracemalloc
from pathlib import Path

import httpx2
import pytest

from turnwire_testing.certificates import new_authority
from turnwire_testing.counted_servers import Resolver, never_stops, says, served
from turnwire_tool_runner.outbound.connecting import SystemResolver
from turnwire_tool_runner.outbound.policy import ANYWHERE, Outbound, UrlRefused
from turnwire_tool_runner.outbound.reading import ReadLimits, TooLarge
from turnwire_tool_runner.outbound.transport import OutboundTransport

GOOD, BAD, DEAD = "127.0.0.2", "127.0.0.1", "127.0.0.3"
ONLY_GOOD = Outbound.parse(GOOD)
KIB, MIB = 1024, 1024 * 1024
LIMITS = ReadLimits(body=MIB, stream=2 * MIB, event=MIB)

HELLO = says("hello")
CHUNKED = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\ncontent-type: "


def client(transport: OutboundTransport, *, follow: bool = False) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, timeout=10, follow_redirects=follow)


def resolving(*answers: list[str], outbound: Outbound = ONLY_GOOD) -> httpx2.AsyncClient:
    return client(OutboundTransport(outbound, Resolver(list(answers)), LIMITS))


async def test_a_connection_goes_to_the_address_that_was_vetted_and_keeps_the_name() -> None:
    async with served(HELLO, GOOD) as good, resolving([GOOD]) as http:
        answer = await http.get(f"http://tools.example:{good.port}/mcp")

    assert answer.text == "hello"
    assert f"\r\nHost: tools.example:{good.port}\r\n".encode() in good.heads[0]


async def test_a_name_that_is_bound_anew_leads_nowhere() -> None:
    ends = says("hello", "connection: close")
    async with (
        served(ends, GOOD) as good,
        served(HELLO, BAD, good.port) as bad,
        resolving([GOOD], [BAD]) as http,
    ):
        url = f"http://tools.example:{good.port}/"
        await http.get(url)
        with pytest.raises(UrlRefused):
            await http.get(url)

    assert (good.accepted, bad.accepted) == (1, 0)


async def test_what_was_vetted_is_not_looked_up_again_before_it_is_connected_to() -> None:
    resolver = Resolver([[GOOD], [BAD]])
    async with (
        served(HELLO, GOOD) as good,
        served(HELLO, BAD, good.port) as bad,
        client(OutboundTransport(ONLY_GOOD, resolver)) as http,
    ):
        for _ in range(3):
            await http.get(f"http://tools.example:{good.port}/")

    assert resolver.asked == ["tools.example"]
    assert (good.accepted, len(good.heads), bad.accepted) == (1, 3, 0)


async def test_one_bad_address_among_good_ones_means_no_connection_at_all() -> None:
    async with (
        served(HELLO, GOOD) as good,
        served(HELLO, BAD, good.port) as bad,
        resolving([GOOD, BAD]) as http,
    ):
        with pytest.raises(UrlRefused):
            await http.get(f"http://tools.example:{good.port}/")

    assert (good.accepted, bad.accepted) == (0, 0)


async def test_no_way_to_write_a_loopback_url_reaches_a_server_there() -> None:
    hosts = [
        "127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "0177.0.0.1", "2130706433",
        "0x7f000001", "0", "0.0.0.0", "127.0.0.1.", "127。0。0。1", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]",
        "a@127.0.0.1", "LOCALHOST", "%6cocalhost",
    ]  # fmt: skip
    resolver = SystemResolver()
    transport = OutboundTransport(Outbound(), resolver)
    async with served(HELLO, BAD) as bad, client(transport) as http:
        for host in hosts:
            for scheme in ("http", "https"):
                with pytest.raises((UrlRefused, httpx2.InvalidURL)):
                    await http.post(f"{scheme}://{host}:{bad.port}/")
    resolver.close()

    assert bad.accepted == 0


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    loopback = Outbound.parse("loopback")
    async with served(HELLO, GOOD) as good, resolving([DEAD, GOOD], outbound=loopback) as http:
        assert (await http.get(f"http://tools.example:{good.port}/")).text == "hello"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_a_private_address_is_not_followed(status: int) -> None:
    async with served(HELLO, BAD) as bad:
        away = says("", f"location: http://127.0.0.1:{bad.port}/", status)
        async with served(away, GOOD) as good:
            url = f"http://{GOOD}:{good.port}/"
            async with resolving([GOOD]) as http:
                assert (await http.get(url)).status_code == status
            async with client(
                OutboundTransport(ONLY_GOOD, Resolver([[GOOD]])), follow=True
            ) as http:
                with pytest.raises(UrlRefused):
                    await http.get(url)

    assert bad.accepted == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(HELLO, BAD) as proxy, served(HELLO, GOOD) as good, resolving([GOOD]) as http:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://{BAD}:{proxy.port}")
        assert (await http.get(f"http://tools.example:{good.port}/")).text == "hello"

    assert proxy.accepted == 0


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    tmp_path: Path,
) -> None:
    authority, asked_by = new_authority(tmp_path), list[str | None]()
    transport = OutboundTransport(ONLY_GOOD, Resolver([[GOOD]]), tls=authority.client())
    tls = authority.server("tools.example", asked_by)
    async with served(HELLO, GOOD, tls=tls) as good, client(transport) as http:
        assert (await http.get(f"https://tools.example:{good.port}/")).text == "hello"
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await http.get(f"https://other.example:{good.port}/")

    assert asked_by == ["tools.example", "other.example"]
    assert len(good.heads) == 1


async def test_an_authority_that_nobody_trusts_is_not_believed(tmp_path: Path) -> None:
    tls = new_authority(tmp_path).server("tools.example", [])
    async with served(HELLO, GOOD, tls=tls) as good, resolving([GOOD]) as http:
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await http.get(f"https://tools.example:{good.port}/")

    assert good.heads == []


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (CHUNKED + b"application/json\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (CHUNKED + b"text/event-stream\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"),
        (CHUNKED + b"text/event-stream\r\n\r\n", b"6\r\n: ok\r\n\r\n"),
        (CHUNKED + b"text/event-stream\r\n\r\n", b"9\r\ndata: x\n\n\r\n"),
        (CHUNKED + b"text/event-stream\r\n\r\n", b"1\r\nx\r\n"),
        (CHUNKED + b"application/json\r\n\r\n", b"1\r\n \r\n"),
        (b"HTTP/1.1 200 X\r\n\r\n", b"x" * 65536),
        (b"HTTP/1.1 500 X\r\ncontent-type: text/event-stream\r\n\r\n", b"data: x\n\n" * 999),
        (b"HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\n", b"x" * 65536),
    ],
)
async def test_an_answer_without_end_ends_with_an_error_in_little_memory(
    head: bytes, part: bytes
) -> None:
    async with served(never_stops(head, part), GOOD) as good, resolving([GOOD]) as http:
        tracemalloc.start()
        with pytest.raises(TooLarge, match="is larger than"):
            await http.get(f"http://{GOOD}:{good.port}/")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 16 * MIB


@pytest.mark.parametrize("part", [b"x" * 65536, b"x-header: y\r\n" * 999])
async def test_a_head_without_end_ends_with_an_error(part: bytes) -> None:
    endless = never_stops(b"HTTP/1.1 200 X\r\n", part)
    async with served(endless, GOOD) as good, resolving([GOOD]) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.get(f"http://{GOOD}:{good.port}/")


@pytest.mark.parametrize("size", [1, 999])
async def test_an_answer_that_never_begins_ends_with_an_error(size: int) -> None:
    endless = never_stops(b"", b"HTTP/1.1 103 X\r\nlink: a\r\n\r\n" * size)
    async with served(endless, GOOD) as good, resolving([GOOD]) as http:
        async with asyncio.timeout(10):
            with pytest.raises(httpx2.RemoteProtocolError, match="has not begun within"):
                await http.get(f"http://{GOOD}:{good.port}/")


async def test_nothing_is_decompressed() -> None:
    bomb = gzip.compress(b"\0" * MIB)
    head = f"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n"

    async with (
        served(never_stops(head.encode() + bomb, b"\0" * KIB), GOOD) as good,
        resolving([GOOD]) as http,
    ):
        with pytest.raises(httpx2.DecodingError):
            await http.get(f"http://{GOOD}:{good.port}/")

    assert b"\r\nAccept-Encoding: identity\r\n" in good.heads[0]


async def test_a_name_that_cannot_be_looked_up_is_an_error_without_details() -> None:
    resolver = SystemResolver()
    async with client(OutboundTransport(Outbound(), resolver)) as http:
        with pytest.raises(httpx2.ConnectError, match=r"^Its name could not be looked up\.$"):
            await http.get("https://nobody.invalid/")
    resolver.close()


async def test_a_name_is_not_looked_up_for_longer_than_there_is_time_to_connect() -> None:
    async def never(_: str) -> list[str]:
        return await asyncio.Future()

    async with client(OutboundTransport(Outbound(), never)) as http:
        with pytest.raises(httpx2.ConnectTimeout, match="looked up in time"):
            await http.get("https://tools.example/", timeout=0.05)


async def test_a_name_without_addresses_leads_nowhere() -> None:
    async with resolving([]) as http:
        with pytest.raises(httpx2.ConnectError, match="no address"):
            await http.get("https://tools.example/")


async def test_what_the_operator_wrote_is_connected_to_wherever_it_leads() -> None:
    resolver = SystemResolver()
    async with served(HELLO, BAD) as server, client(OutboundTransport(ANYWHERE, resolver)) as http:
        assert (await http.get(f"http://localhost:{server.port}/")).text == "hello"
    resolver.close()
