"""Which URLs may be connected to. No I/O.

A URL of a client must be https, on a port where no database listens, and lead to the open internet
and nowhere else. What is judged is the address that is connected to; a name matters only where the
operator has named it: `TURNWIRE_ALLOW_PRIVATE_URLS` excuses from all three.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_network

import httpx2
from msgspec import Struct

from turnwire_chassis.settings import SettingsError
from turnwire_tool_runner.outbound.addresses import (
    LOOPBACK,
    Address,
    Network,
    address,
    is_guarded,
    is_in,
    is_public,
)

SETTING = "TURNWIRE_ALLOW_PRIVATE_URLS"

_PORTS = {"http": 80, "https": 443}
_FIRST_UNPRIVILEGED = 1024
_LAST_PORT = 65535
_NOT_HTTP = frozenset(
    {
        1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4222, 5432, 5672, 5900, 5984,
        6000, 6222, 6379, 6443, 7687, 8500, 9042, 9092, 9200, 9300, 10250, 10255, 11211, 27017,
        27018, 27019,
    }
)  # fmt: skip
"""Ports of databases, brokers, clusters and desktops."""

_LONGEST_NAME = 253
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
# WHATWG, "ends in a number": resolvers read such names as IPv4 addresses (0x7f.1, 2130706433).
_NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")


class UrlRefused(httpx2.TransportError):
    """A URL leads where we do not connect; the text is for the client and names no address."""


class Destination(Struct, frozen=True):
    """Where a URL leads, as far as it says so itself."""

    scheme: str
    host: str
    """In lower case and ASCII; an IPv6 address without its brackets."""
    port: int

    @property
    def address(self) -> Address | None:
        """The address that the URL gives in place of a name."""
        try:
            return address(self.host)
        except ValueError:
            return None


class Outbound(Struct, frozen=True):
    """Where we connect to: the open internet, and what the operator has named beyond it."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = ()
    """Each with its leading dot."""

    @classmethod
    def parse(cls, setting: str) -> "Outbound":
        """Read `TURNWIRE_ALLOW_PRIVATE_URLS`. Raises SettingsError."""
        networks: list[Network] = []
        names: list[str] = []
        for entry in filter(None, (each.strip().lower() for each in setting.split(","))):
            if entry == "loopback":
                networks.extend(LOOPBACK)
            elif "/" in entry or _ends_in_number(entry) or ":" in entry:
                networks.append(_network(entry))
            else:
                names.append(_allowed_name(entry))
        return cls(
            networks=tuple(networks),
            hosts=frozenset(name for name in names if not name.startswith("*")),
            suffixes=tuple(name.removeprefix("*") for name in names if name.startswith("*")),
        )

    def check(self, url: str | httpx2.URL) -> Destination:
        """Say where a URL leads, refusing all that can be refused before its name is looked up.

        Raises UrlRefused.
        """
        destination = _read(url)
        found = destination.address
        if found is not None:
            self._admit(destination, found)
        elif not self.networks and not self._has_named(destination.host):
            _refuse_unusual(destination)
        return destination

    def admit(self, destination: Destination, addresses: Sequence[str]) -> tuple[Address, ...]:
        """Give the addresses of a destination if we may connect to every one of them.

        One that may not be refuses the others: a name that leads to both may be an attack (DNS
        rebinding). Raises UrlRefused.
        """
        found = tuple(dict.fromkeys(address(each) for each in addresses))
        for each in found:
            self._admit(destination, each)
        return found

    def _admit(self, destination: Destination, found: Address) -> None:
        if is_in(found, self.networks):
            return
        if self._has_named(destination.host) and not is_guarded(found):
            return
        if not is_public(found):
            raise _not_public(destination, found)
        _refuse_unusual(destination)

    def _has_named(self, host: str) -> bool:
        return host in self.hosts or host.endswith(self.suffixes)


ANYWHERE = Outbound(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))
"""For URLs that the operator wrote: wherever they lead."""


def _read(url: str | httpx2.URL) -> Destination:
    # By the parser of the client that connects: two parsers could see two hosts in one text.
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError) as error:
        raise UrlRefused("It is no valid URL.") from error
    host = parsed.raw_host.decode("ascii")
    if parsed.scheme not in _PORTS or not host:
        raise UrlRefused("It must be an https URL.")
    if parsed.userinfo:
        raise UrlRefused("It must not contain a user or password: use 'authorization'.")
    if "#" in str(parsed):
        raise UrlRefused("It must not have a fragment ('#…').")
    port = _PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not 1 <= port <= _LAST_PORT:
        raise UrlRefused("Its port must be between 1 and 65535.")
    _refuse_odd_host(host)
    return Destination(scheme=parsed.scheme, host=host, port=port)


def _refuse_odd_host(host: str) -> None:
    if "%" in host:
        raise UrlRefused("Its host must not contain '%'.")
    if ":" in host or _is_dotted(host):
        return
    if _ends_in_number(host):
        raise UrlRefused("An IPv4 address must be written as four decimal numbers.")
    if not _is_name(host):
        raise UrlRefused("Its host is no valid name.")


def _refuse_unusual(destination: Destination) -> None:
    if destination.scheme != "https":
        raise UrlRefused(f"It must be an https URL. {_way_out(destination.host)}")
    port = destination.port
    if port != _PORTS["https"] and (port < _FIRST_UNPRIVILEGED or port in _NOT_HTTP):
        raise UrlRefused(f"Port {port} is not allowed. {_way_out(destination.host)}")


def _not_public(destination: Destination, found: Address) -> UrlRefused:
    if is_guarded(found) and destination.address is None:
        # A name does not open these, so that no wildcard gives a cloud's credentials away.
        text = "It leads to a link-local or metadata address."
        return UrlRefused(f"{text} Only its network in {SETTING} would allow that.")
    return UrlRefused(f"It leads to a private or reserved address. {_way_out(destination.host)}")


def _way_out(host: str) -> str:
    return f"If it is meant, ask the operator to add '{host}' to {SETTING}."


def _network(entry: str) -> Network:
    try:
        return ip_network(entry if "/" in entry else address(entry))
    except ValueError as error:
        raise SettingsError(f"{SETTING}: '{entry}' is no network: {error}") from error


def _allowed_name(entry: str) -> str:
    if not _is_name(entry.removeprefix("*.")):
        message = (
            "is neither a network (10.0.0.0/8), a host (mcp.internal, *.internal) nor 'loopback'"
        )
        raise SettingsError(f"{SETTING}: '{entry}' {message}")
    return entry


def _is_name(host: str) -> bool:
    return len(host) <= _LONGEST_NAME and bool(_NAME.fullmatch(host))


def _is_dotted(host: str) -> bool:
    try:
        IPv4Address(host)
    except ValueError:
        return False
    return True


def _ends_in_number(host: str) -> bool:
    return bool(_NUMBER.fullmatch(host.rstrip(".")))
