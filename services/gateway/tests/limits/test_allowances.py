"""`TURNWIRE_LIMITS`: what can be said, and complaints that name file, line and key."""

import pytest

from turnwire_chassis.yaml_place import PlaceError
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.limits.allowances import Account, Allowance, parse_allowances

FILE = """
limits:
  default: { requests_per_minute: 600, max_tools: 64 }
  tenants:
    acme: { requests_per_minute: 6000, tokens_per_minute: 100000 }
    quiet: { requests_per_minute: unlimited }
  keys:
    key_1: { concurrent_turns: 2 }
"""


def caller(tenant: str, key: str | None = None) -> Caller:
    return Caller(TenantId(tenant), OwnerId("ada"), key=key)


def test_a_tenant_has_its_own_limits_and_the_default_ones_for_the_rest() -> None:
    known = parse_allowances(FILE, "limits.yaml")
    acme = Allowance(requests_per_minute=6000, tokens_per_minute=100_000, max_tools=64)
    assert known.accounts(caller("acme")) == (Account("tenant", acme),)
    other = Allowance(requests_per_minute=600, max_tools=64)
    assert known.accounts(caller("other")) == (Account("tenant", other),)


def test_a_default_can_be_lifted() -> None:
    known = parse_allowances(FILE, "limits.yaml")
    assert known.accounts(caller("quiet")) == (Account("tenant", Allowance(max_tools=64)),)


def test_a_key_counts_for_itself_and_for_its_tenant() -> None:
    known = parse_allowances(FILE, "limits.yaml")
    key, tenant = known.accounts(caller("acme", "key_1"))
    assert key == Account("key:key_1", Allowance(concurrent_turns=2))
    assert tenant.allowance.requests_per_minute == 6000
    assert [each.name for each in known.accounts(caller("acme", "key_2"))] == ["tenant"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("limits:\n  default: { requests_per_minut: 1 }", "f:2: limits.default.requests_per_minut"),
        (
            "limits:\n  default:\n    max_tools: 0",
            "f:3: limits.default.max_tools: must be a number",
        ),
        (
            "limits:\n  default: { max_items: 1.5 }",
            "f:2: limits.default.max_items: must be a whole",
        ),
        ("limits:\n  default: { max_items: lots }", "f:2: limits.default.max_items: must be a num"),
        ("limits:\n  tenants:\n    a.b: {}", "f:3: limits.tenants.a.b: is no tenant"),
        ("limits:\n  users: {}", "f:2: limits.users: there is no such key"),
        ("limit: {}", "f:1: limit: there is no such key. Did you mean 'limits'?"),
        ("", "f:1: the file is empty"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(PlaceError) as refused:
        parse_allowances(text, "f")
    assert str(refused.value).startswith(complaint)
