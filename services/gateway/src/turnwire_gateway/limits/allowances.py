"""How much the operator allows: `TURNWIRE_LIMITS`, a file read from text. No I/O.

    limits:
      default: { requests_per_minute: 600, concurrent_turns: 20, max_tools: 64 }
      tenants:
        acme: { requests_per_minute: 6000, tokens_per_minute: unlimited }
      keys:
        key_3f…: { requests_per_minute: 60 }

What a tenant's own entry does not say is as in `default`. A key has only what its entry says, and
counts for its tenant as well.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from turnwire_chassis.yaml_place import YamlPlace, read_yaml
from turnwire_contracts.ids import TenantId, is_tenant_id
from turnwire_gateway.auth.caller import Caller

SETTING = "TURNWIRE_LIMITS"
TENANT = "tenant"
_UNLIMITED = "unlimited"


class Allowance(Struct, frozen=True):
    """How much an account may use; `None`: without limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_turns: int | None = None
    concurrent_streams: int | None = None
    max_body_bytes: int | None = None
    max_items: int | None = None
    max_tools: int | None = None
    max_depth: int | None = None


KEYS = Allowance.__struct_fields__


class Account(Struct, frozen=True):
    """What is counted together, and how much of it there may be."""

    name: str
    """`tenant`, or `key:<id>`."""
    allowance: Allowance


class Allowances(Struct, frozen=True):
    """All limits that the operator sets."""

    default: Allowance = Allowance()
    tenants: Mapping[str, Allowance] = {}
    keys: Mapping[str, Allowance] = {}

    def accounts(self, caller: Caller) -> tuple[Account, ...]:
        """Give the accounts that a caller counts for: every one of them must have room."""
        whole = Account(TENANT, self.tenants.get(caller.tenant, self.default))
        key = self.keys.get(caller.key or "")
        return (whole,) if key is None else (Account(f"key:{caller.key}", key), whole)

    def account(self, tenant: TenantId, name: str) -> Account:
        """Give the account that an event names."""
        if name == TENANT:
            return Account(name, self.tenants.get(tenant, self.default))
        return Account(name, self.keys.get(name.removeprefix("key:"), Allowance()))

    def __str__(self) -> str:
        """Name what is limited."""
        tenants, keys = ", ".join(self.tenants), ", ".join(self.keys)
        return f"default, tenants ({tenants or 'none'}), keys ({keys or 'none'})"


def parse_allowances(text: str, file: str) -> Allowances:
    """Read the operator's file; `file` is what complaints call it. Raises `PlaceError`."""
    top = read_yaml(text, file).fields(known=("limits",), required=("limits",))["limits"]
    fields = top.fields(known=("default", "tenants", "keys"), required=())
    default = _allowance(fields["default"], Allowance()) if "default" in fields else Allowance()
    tenants = fields["tenants"].entries() if "tenants" in fields else {}
    for name, place in tenants.items():
        if not is_tenant_id(name):
            raise place.error("is no tenant: 1 to 64 letters, digits, '_' and '-'")
    keys = fields["keys"].entries() if "keys" in fields else {}
    return Allowances(
        default,
        {name: _allowance(place, default) for name, place in tenants.items()},
        {name: _allowance(place, Allowance()) for name, place in keys.items()},
    )


def _allowance(place: YamlPlace, otherwise: Allowance) -> Allowance:
    limits = {name: _most(each) for name, each in place.fields(KEYS, ()).items()}
    return msgspec.structs.replace(otherwise, **limits)


def _most(place: YamlPlace) -> int | None:
    if place.is_word(_UNLIMITED):
        return None
    return place.whole()


class Sizes(Struct, frozen=True):
    """The smallest of what a caller's accounts allow; `None`: as much as the deployment takes."""

    body_bytes: int | None = None
    items: int | None = None
    tools: int | None = None
    depth: int | None = None


def sizes_of(accounts: Iterable[Account]) -> Sizes:
    """Give what all of these accounts allow."""
    allowances = [account.allowance for account in accounts]
    return Sizes(
        _least(allowances, "max_body_bytes"),
        _least(allowances, "max_items"),
        _least(allowances, "max_tools"),
        _least(allowances, "max_depth"),
    )


def _least(allowances: list[Allowance], name: str) -> int | None:
    limits: list[int | None] = [getattr(each, name) for each in allowances]
    return min((limit for limit in limits if limit is not None), default=None)
