"""What an address in a text leads to, and whether it is made to deceive. Pure."""

import ipaddress
import re
import unicodedata
from collections.abc import Callable

URL = r"(?i:\b(?:https?://|www\.)[^\s<>\"'`]+)"
"""Finds addresses, as an expression of RE2."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_NUMBER = re.compile(r"(?:0[xX][0-9A-Fa-f]+|\d+)(?:\.(?:0[xX][0-9A-Fa-f]+|\d+)){0,3}")
_LOOK_LATIN = frozenset("аеорсухіјѕԁһӏԛԝονρυ")  # noqa: RUF001 -- that is the point
"""Cyrillic and Greek letters that pass for Latin ones."""


def host_of(url: str) -> str:
    """Give the host that a URL names, in small letters; empty if there is none."""
    return _authority(url).rpartition("@")[2].lower()


def is_below(hosts: frozenset[str]) -> Callable[[str], bool]:
    """Tell whether a URL leads to one of some hosts, or to a host below one of them."""

    def leads_there(url: str) -> bool:
        labels = _without_port(host_of(url)).rstrip(".").split(".")
        return any(".".join(labels[n:]) in hosts for n in range(len(labels)))

    return leads_there


def has_user(url: str) -> bool:
    """Tell whether what looks like the host is a user's name: `https://bank.example@evil.example`."""
    return "@" in _authority(url)


def is_numeric(url: str) -> bool:
    """Tell whether the host is an IP address, in any of the ways in which browsers take one."""
    host = _without_port(host_of(url))
    if _NUMBER.fullmatch(host):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_homograph(url: str) -> bool:
    """Tell whether a label of the host mixes alphabets, or is Latin to the eye only."""
    return any(_deceives(_decoded(label)) for label in _without_port(host_of(url)).split("."))


def _authority(url: str) -> str:
    # A backslash is a slash to browsers.
    return re.split(r"[/\\?#]", _SCHEME.sub("", url), maxsplit=1)[0]


def _without_port(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode().decode("punycode")
    except UnicodeError:
        return label


def _deceives(label: str) -> bool:
    letters = [each for each in label if each.isalpha()]
    if all(each.isascii() for each in letters):
        return False
    scripts = {unicodedata.name(each, "?").split()[0] for each in letters}
    mixed = "LATIN" in scripts and len(scripts) > 1
    return mixed or all(each in _LOOK_LATIN for each in letters)
