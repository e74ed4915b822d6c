"""Whether an address is reached from this machine alone; without keys no other may be used."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether `host` is an address of the loopback interface, or the name `localhost`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
