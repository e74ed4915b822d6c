"""What an address says about who can reach it."""

from turnwire_chassis.api_keys.addresses import is_loopback


def test_an_address_is_loopback_or_others_may_reach_it() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.1", "my-host", "")))
