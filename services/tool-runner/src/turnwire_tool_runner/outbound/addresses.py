"""Which addresses belong to the open internet. No I/O.

The tables follow IANA's special-purpose address registries. They stand here, because what Python's
`is_global` says changes from one of its patch releases to the next.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


# RFC 4291: everything that is routed on the internet is in here.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052: IPv6-only networks reach IPv4 servers under these.
_NAT64 = IPv6Network("64:ff9b::/96")
_EMBEDDING = _networks("::/96", "64:ff9b::/96", "64:ff9b:1::/48")

_SPECIAL = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private
    "100.64.0.0/10",  # shared by the customers of a provider (CGNAT)
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's host, seen from its guests
    "169.254.0.0/16",  # link-local, metadata of most clouds
    "172.16.0.0/12",  # private
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # automatic multicast tunnelling
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, broadcast
    "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
)

_GUARDED = _networks(
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure
    "169.254.0.0/16",  # AWS, Google, Azure, OpenStack, …; link-local
    "192.0.0.192/32",  # Oracle
    "fd00:42::42/128",  # Scaleway
    "fd00:c1::a9fe:a9fe/128",  # Oracle
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # Google
    "fe80::/10",  # link-local
)


def address(text: str) -> Address:
    """Read an address as the system writes it, without the zone it may end in.

    An IPv4 address that is mapped into IPv6 is that IPv4 address: the system connects there.
    Raises ValueError.
    """
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        return found.ipv4_mapped
    return found


def is_public(found: Address) -> bool:
    """Whether this is a host of the open internet, wherever we stand."""
    if isinstance(found, IPv6Address):
        if found in _NAT64:
            return is_public(_last_four_bytes(found))
        if found not in _GLOBAL_UNICAST:
            return False
    return not is_in(found, _SPECIAL)


def is_guarded(found: Address) -> bool:
    """Whether a cloud's metadata (its credentials) or a neighbour on the link may answer there."""
    return any(is_in(each, _GUARDED) for each in (found, *_embedded(found)))


def is_in(found: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks has this address."""
    return any(found in network for network in networks)


def _embedded(found: Address) -> tuple[IPv4Address, ...]:
    if isinstance(found, IPv4Address):
        return ()
    inside = [found.sixtofour, *(found.teredo or ())]
    if is_in(found, _EMBEDDING):
        inside.append(_last_four_bytes(found))
    return tuple(each for each in inside if each)


def _last_four_bytes(found: IPv6Address) -> IPv4Address:
    return IPv4Address(found.packed[-4:])
