"""The URLs of the broker's servers, as `TURNWIRE_NATS_URL` lists them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Annotated, Final
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator

_DEFAULT_PORTS: Final = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}
_WEBSOCKET: Final = frozenset({"ws", "wss"})
_BETWEEN: Final = re.compile(r"[,\s]+")
_NAME: Final = re.compile(r"[\w.-]+")


class ServerUrlsError(ValueError):
    """The broker's URLs cannot be; the text says which and why, and repeats no credentials."""


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where the servers of one broker are, and who a connection to any of them is."""

    urls: tuple[str, ...]
    """Each with its scheme and port, and without credentials."""
    credentials: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The options `user` and `password`, or `token`, of nats-py; empty without credentials.

    They are options and no part of the URLs, as servers that a cluster tells of have no more than
    an address, and nats-py takes what is percent-encoded in a URL as it stands.
    """

    def __str__(self) -> str:
        """The URLs, for people."""
        return ", ".join(self.urls)


def parse_server_urls(text: str) -> ServerUrls:
    """Read one URL or several, with commas or white space between them.

    The scheme is `nats` where there is none, or `tls`, `ws`, `wss`; the port is 4222, for WebSocket
    80 and 443, where there is none. Raises `ServerUrlsError`.
    """
    written = [each for each in _BETWEEN.split(text) if each]
    if not written:
        raise ServerUrlsError("names no server; a broker's URL is like nats://127.0.0.1:4222")
    # A comma in a password leaves parts of it without their `@`.
    secret = "@" in text
    servers = [
        _server(each, f"URL {number} of {len(written)}" if secret else each)
        for number, each in enumerate(written, 1)
    ]
    urls = tuple(dict.fromkeys(url for url, _ in servers))
    if len({_is_websocket(url) for url in urls}) > 1:
        raise ServerUrlsError("mixes WebSocket (ws, wss) with nats and tls; use one of both")
    users = [credentials for _, credentials in servers if credentials]
    if any(each != users[0] for each in users):
        raise ServerUrlsError("has URLs with different credentials; a process is one user")
    return ServerUrls(urls, users[0] if users else {})


def _checked(text: str) -> str:
    parse_server_urls(text)
    return text


ServerUrlsText = Annotated[str, AfterValidator(_checked)]
"""A setting that `parse_server_urls` can read."""


def _server(written: str, shown: str) -> tuple[str, Mapping[str, str]]:
    before, separator, rest = written.partition("://")
    scheme, rest = (before.lower(), rest) if separator else ("nats", written)
    if scheme not in _DEFAULT_PORTS:
        raise ServerUrlsError(f"{shown} has no scheme of a broker, which are nats, tls, ws and wss")
    user, _, address = rest.rpartition("@")
    return _url(scheme, address, shown), _credentials(user)


def _url(scheme: str, address: str, shown: str) -> str:
    try:
        parts = urlsplit(f"//{_in_brackets(address)}")
        host = _host(parts)
    except ValueError as error:
        raise ServerUrlsError(f"{shown} has no host that can be") from error
    try:
        # An empty port is none.
        port = parts.port or (0 if parts.port == 0 else _DEFAULT_PORTS[scheme])
    except ValueError:
        port = 0
    if not port:
        raise ServerUrlsError(
            f"{shown} has a port that is no number from 1 to 65535; in passwords, "
            "characters that mean something in a URL or a list are percent-encoded"
        )
    if parts.query or parts.fragment or (scheme not in _WEBSOCKET and parts.path not in {"", "/"}):
        raise ServerUrlsError(f"{shown} says more than a host and a port")
    return f"{scheme}://{host}:{port}{parts.path if scheme in _WEBSOCKET else ''}"


def _host(parts: SplitResult) -> str:
    """Raises ValueError."""
    host = parts.hostname or ""
    if ":" in host:
        return f"[{IPv6Address(host)}]"
    if not _NAME.fullmatch(host):
        raise ValueError(host)
    return host


def _in_brackets(address: str) -> str:
    """An IPv6 address alone, without the brackets that a URL wants."""
    try:
        return f"[{IPv6Address(address)}]"
    except ValueError:
        return address


def _credentials(user: str) -> Mapping[str, str]:
    name, separator, password = user.partition(":")
    if separator:
        return {"user": unquote(name), "password": unquote(password)}
    return {"token": unquote(name)} if name else {}


def _is_websocket(url: str) -> bool:
    return url.partition("://")[0] in _WEBSOCKET
