"""Who can reach what listens at an address: without keys, only this machine may."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there, as far as the name tells."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
