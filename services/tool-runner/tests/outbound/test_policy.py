"""Which URLs of clients may be connected to, and what the operator can allow beyond them."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.settings import SettingsError
from turnwire_tool_runner.outbound.addresses import Address
from turnwire_tool_runner.outbound.policy import ANYWHERE, Outbound, UrlRefused

NOTHING = Outbound()

HOSTILE_URLS = [
    # other schemes
    "http://example.com/mcp",
    "ws://example.com/mcp",
    "wss://example.com/mcp",
    "ftp://example.com/mcp",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix:///var/run/docker.sock",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//example.com/mcp",
    "example.com/mcp",
    "",
    # no host, or a broken one
    "https://",
    "https:///mcp",
    "https://[::1",
    "https://[::1]x/",
    "https://[v1.a]/",
    "https://a..b/",
    "https://-a.example/",
    "https://example.com./",
    "https://ex%61mple.com/",
    "https://ex ample.com/",
    "https://example.com\t/",
    "https://example.com\r\nHost:evil/",
    "https://\x00example.com/",
    "https://example.com/\ud800",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 150 + "example/",
    # one host for the eye, another for the client
    "https://user:password@example.com/",
    "https://token@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com#@127.0.0.1/",
    "https://example.com/#fragment",
    "https://example.com/#",
    # ports where no HTTP is
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:80/",
    "https://example.com:2375/",
    "https://example.com:2379/",
    "https://example.com:3306/",
    "https://example.com:4222/",
    "https://example.com:5432/",
    "https://example.com:6379/",
    "https://example.com:9200/",
    "https://example.com:10250/",
    "https://example.com:11211/",
    "https://example.com:27017/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:0x1bb/",
    # 127.0.0.1, 10.0.0.1 and 169.254.169.254 in other clothes
    "https://127.0.0.1/",
    "https://127.0.0.1:8443/",
    "https://127.0.0.1./",
    "https://127.1/",
    "https://127.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://00000000000000000000000000177.1/",
    "https://%31%32%37.0.0.1/",
    "https://127。0。0。1/",
    "https://127\uff0e0\uff0e0\uff0e1/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://١٢٧.0.0.1/",
    "https://10.0.0.1/",
    "https://10.1/",
    "https://0xA000001/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.43518/",
    "https://2852039166/",
    "https://0xa9.0xfe.0xa9.0xfe/",
    "https://0251.0376.0251.0376/",
    "https://[::]/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::10.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:a00:1::f5ff:fffe]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
]

HOSTILE_ADDRESSES = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.1.1", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "::127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1",
    "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "e000::1",
]  # fmt: skip

PUBLIC_ADDRESSES = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.1", "168.63.129.17", "172.15.255.255", "172.32.0.0",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001::1",
    "2001:4860:4860::8888",
]  # fmt: skip


def refusal(outbound: Outbound, url: str, *addresses: str) -> str:
    with pytest.raises(UrlRefused) as refused:
        outbound.admit(outbound.check(url), addresses)
    return str(refused.value)


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=ascii)
def test_a_hostile_url_is_refused_before_its_name_is_looked_up(url: str) -> None:
    with pytest.raises(UrlRefused):
        NOTHING.check(url)


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_a_name_that_leads_to_no_public_address_is_refused(address: str) -> None:
    assert refusal(NOTHING, "https://example.com/", address)


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_one_bad_address_among_good_ones_is_enough(address: str) -> None:
    assert refusal(NOTHING, "https://example.com/", "8.8.8.8", address, "1.1.1.1")


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_a_name_may_lead_to_any_public_address(address: str) -> None:
    assert NOTHING.admit(NOTHING.check("https://example.com/"), [address])


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com", "example.com", 443),
        ("HTTPS://EXAMPLE.com:443/mcp?x=1", "example.com", 443),
        ("https://example.com:8443/mcp", "example.com", 8443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("https://tool_server.example/", "tool_server.example", 443),
        ("https://127.0.0.1.example/", "127.0.0.1.example", 443),
        ("https://8.8.8.8/", "8.8.8.8", 443),
        ("https://[2606:4700::1]:9443/", "2606:4700::1", 9443),
        ("https://[64:ff9b::8.8.8.8]/", "64:ff9b::8.8.8.8", 443),
    ],
)
def test_an_ordinary_url_is_read(url: str, host: str, port: int) -> None:
    destination = NOTHING.check(url)
    assert (destination.scheme, destination.host, destination.port) == ("https", host, port)


def test_a_mapped_address_is_the_address_that_is_connected_to() -> None:
    destination = NOTHING.check("https://example.com/")
    admitted = NOTHING.admit(destination, ["::ffff:8.8.8.8", "8.8.8.8"])
    assert [str(each) for each in admitted] == ["8.8.8.8"]


@pytest.mark.parametrize(
    ("allowed", "url", "address"),
    [
        ("loopback", "http://localhost:9000/mcp", "127.0.0.1"),
        ("loopback", "http://localhost/mcp", "::1"),
        ("loopback", "http://127.0.0.1:5432/", "127.0.0.1"),
        ("loopback", "http://[::ffff:127.0.0.1]:80/", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "http://10.1.2.3:22/", "10.1.2.3"),
        ("10.0.0.0/8", "https://tools.example/", "10.1.2.3"),
        ("10.1.2.3", "http://tools.example:9000/", "10.1.2.3"),
        ("::ffff:10.1.2.3", "http://tools.example:9000/", "10.1.2.3"),
        ("fd00::/8", "http://[fd12::1]:9000/", "fd12::1"),
        ("169.254.169.254", "http://169.254.169.254/", "169.254.169.254"),
        ("169.254.0.0/16", "http://metadata.google.internal/", "169.254.169.254"),
        ("mcp.internal", "http://mcp.internal:5432/", "192.168.1.1"),
        ("mcp.internal", "http://MCP.internal/", "127.0.0.1"),
        ("*.internal", "http://a.b.internal/", "10.0.0.1"),
        (" *.Internal , loopback ", "http://a.internal/", "10.0.0.1"),
        ("example.com", "http://example.com:25/", "8.8.8.8"),
        ("xn--bcher-kva.example", "http://bücher.example/", "10.0.0.1"),
    ],
)
def test_the_operator_can_allow_more(allowed: str, url: str, address: str) -> None:
    outbound = Outbound.parse(allowed)
    assert outbound.admit(outbound.check(url), [address])


@pytest.mark.parametrize(
    ("allowed", "url", "address"),
    [
        ("", "https://example.com/", "10.0.0.1"),
        ("loopback", "https://example.com/", "10.0.0.1"),
        ("loopback", "https://example.com/", "0.0.0.0"),
        ("loopback", "http://example.com/", "8.8.8.8"),
        ("loopback", "https://example.com:6379/", "8.8.8.8"),
        ("10.0.0.0/8", "https://example.com/", "64:ff9b::10.0.0.1"),
        ("10.0.0.0/8", "https://example.com/", "2002:a00:1::1"),
        ("10.0.0.0/8", "https://example.com/", "192.168.0.1"),
        ("mcp.internal", "https://mcp.internal.evil.example/", "10.0.0.1"),
        ("mcp.internal", "https://evil-mcp.internal/", "10.0.0.1"),
        ("mcp.internal", "https://a.mcp.internal/", "10.0.0.1"),
        ("*.internal", "https://internal/", "10.0.0.1"),
        ("*.internal", "https://evilinternal/", "10.0.0.1"),
        ("*.internal", "http://metadata.google.internal/", "169.254.169.254"),
        ("*.internal", "http://metadata.google.internal/", "fd20:ce::254"),
        ("*.internal", "http://a.internal/", "64:ff9b::a9fe:a9fe"),
        ("*.internal", "http://a.internal/", "2002:a9fe:a9fe::1"),
        ("*.internal", "http://a.internal/", "::169.254.169.254"),
        ("*.internal", "http://a.internal/", "fe80::1%eth0"),
        ("*.internal", "http://a.internal/", "100.100.100.200"),
        ("*.internal", "http://a.internal/", "168.63.129.16"),
    ],
)
def test_what_is_allowed_allows_nothing_else(allowed: str, url: str, address: str) -> None:
    assert refusal(Outbound.parse(allowed), url, address)


@pytest.mark.parametrize(
    "entry",
    ["10.0.0.1/8", "10.0.0.0/99", "0x7f.1", "[::1]", "localhost:9000", "https://a.internal",
     "*", "*internal", "a.*.internal", "*.*.internal", "-a", "a b", "256.1.1.1", "::g"],
)  # fmt: skip
def test_an_entry_that_cannot_be_meant_is_refused_by_name(entry: str) -> None:
    with pytest.raises(SettingsError, match="TURNWIRE_ALLOW_PRIVATE_URLS: '"):
        Outbound.parse(f"loopback,{entry}")


def test_a_refusal_says_the_way_out_and_no_address_of_a_name() -> None:
    text = refusal(NOTHING, "https://tools.example/", "10.11.12.13")
    assert "ask the operator to add 'tools.example' to TURNWIRE_ALLOW_PRIVATE_URLS" in text
    assert "10.11.12.13" not in text
    guarded = refusal(Outbound.parse("*.example"), "https://tools.example/", "169.254.169.254")
    assert "169.254" not in guarded


@pytest.mark.parametrize("url", [url for url in HOSTILE_URLS if "#" in url or "@" in url])
def test_even_the_operators_own_urls_have_no_password_and_no_fragment(url: str) -> None:
    with pytest.raises(UrlRefused):
        ANYWHERE.check(url)


@pytest.mark.parametrize("address", HOSTILE_ADDRESSES)
def test_the_operators_own_urls_lead_anywhere(address: str) -> None:
    assert ANYWHERE.admit(ANYWHERE.check("http://a.internal:5432/"), [address])


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}:{text}/", f"https://a/{text}"):
        try:
            NOTHING.check(url)
        except UrlRefused as refused:
            assert str(refused)  # noqa: PT017 -- either way is right


def numbers(address: Address) -> st.SearchStrategy[str]:
    """Write an IPv4 address in the ways that resolvers read."""
    a, b, c, d = address.packed
    parts = st.sampled_from(
        [(a, b, c, d), (a, b, c << 8 | d), (a, b << 16 | c << 8 | d), (int(address),)]
    )
    written: Callable[[int], st.SearchStrategy[str]] = lambda n: st.sampled_from(  # noqa: E731
        [str(n), hex(n), hex(n).upper().replace("X", "x"), f"0{n:o}", f"0x000{n:x}", f"000{n:o}"]
    )
    dots = st.sampled_from([".", "。", "\uff0e", "｡", "%2e"])
    return st.tuples(parts, dots, st.sampled_from(["", "."])).flatmap(
        lambda drawn: st.tuples(*map(written, drawn[0])).map(
            lambda texts: drawn[1].join(texts) + drawn[2]
        )
    )


def embedded(address: Address) -> st.SearchStrategy[str]:
    """Write an IPv4 address as IPv6 addresses that lead to it."""
    n = int(address)
    forms = [
        n,
        0xFFFF << 32 | n,
        0x64FF9B << 96 | n,
        0x64FF9B0001 << 80 | n,
        0x2002 << 112 | n << 80,
        0x20010000 << 96 | n ^ 0xFFFFFFFF,
        0x20010000 << 96 | n << 64,
        0xFE800000000000000000 << 48 | 0x5EFE << 32 | n,
    ]
    return st.sampled_from(forms).flatmap(
        lambda form: st.sampled_from([str(IPv6Address(form)), IPv6Address(form).exploded])
    )


private = st.one_of(
    st.just(IPv4Address("127.0.0.1")),
    st.just(IPv4Address("169.254.169.254")),
    st.ip_addresses(v=4, network="10.0.0.0/8"),
    st.ip_addresses(v=4, network="192.168.0.0/16"),
)


@given(private.flatmap(numbers))
def test_no_way_to_write_a_private_ipv4_address_gets_through(host: str) -> None:
    assert refusal(NOTHING, f"https://{host}/mcp")


@given(private.flatmap(embedded))
def test_no_ipv6_address_around_a_private_ipv4_address_gets_through(host: str) -> None:
    assert refusal(NOTHING, f"https://[{host}]/mcp")
    assert refusal(NOTHING, "https://example.com/", host)
    assert refusal(NOTHING, "https://example.com/", f"{host}%eth0")


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(found: IPv4Address | IPv6Address) -> None:
    try:
        NOTHING.admit(NOTHING.check("https://example.com/"), [str(found)])
    except UrlRefused:
        return
    assert found.is_global
    assert not found.is_multicast
