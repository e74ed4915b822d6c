"""What a key may be used for, and for how long."""

from collections.abc import Sequence

import msgspec
import pytest
from nats.aio.client import Client

from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.key_text import new_key
from turnwire_chassis.api_keys.record import (
    SCOPES,
    KeyOwner,
    KeyRecord,
    KeyTerms,
    Role,
    Scope,
    recorded,
)
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.app import build
from turnwire_gateway.auth.bearer import Bearers
from turnwire_gateway.auth.key_ring import KeyRing
from turnwire_gateway.errors import ApiError
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.gateway import Api, error_of

PEPPER = b"a pepper of 32 letters, or so it is"
KEY = new_key(bytes(range(41)))
EXPIRES_MS = 1_800_000_000_000


def ring_of(
    *, role: Role = "user", scopes: Sequence[Scope] = SCOPES, expires_ms: int | None = None
) -> KeyRing:
    """Give a ring with one key."""
    ring = KeyRing(PEPPER)
    owner = KeyOwner(TenantId("acme"), OwnerId("ada"), role)
    record = recorded(KEY, owner, PEPPER, 1, KeyTerms(tuple(scopes), expires_ms))
    ring.learn(KeyEntry(1, record.id, record))
    return ring


def identity(ring: KeyRing, now_ms: int = 0) -> Bearers:
    """Give what identifies callers by that ring, at that time."""
    return Bearers(ring, None, may_be_open=True, now_ms=lambda: now_ms)


async def test_a_key_is_good_until_its_time_is_over_and_then_says_so() -> None:
    ring = ring_of(expires_ms=EXPIRES_MS)
    assert (await identity(ring, EXPIRES_MS - 1).identify(f"Bearer {KEY}")).owner == "ada"
    with pytest.raises(ApiError) as raised:
        await identity(ring, EXPIRES_MS).identify(f"Bearer {KEY}")
    failure = raised.value.failure
    assert (failure.http_status, failure.code) == (401, "api_key_expired")
    assert "2027-01-15 08:00:00 UTC" in failure.message
    assert "/v1/admin/keys" in failure.message


async def test_only_who_has_the_whole_key_is_told_that_it_expired() -> None:
    same_id = new_key(bytes(range(9)) + bytes(32))
    assert same_id[:19] == KEY[:19]
    with pytest.raises(ApiError) as raised:
        await identity(ring_of(expires_ms=EXPIRES_MS), EXPIRES_MS).identify(f"Bearer {same_id}")
    assert raised.value.failure.code == "invalid_api_key"


def test_a_record_of_an_earlier_version_has_every_scope_and_never_expires() -> None:
    owner = KeyOwner(TenantId("acme"), OwnerId("ada"), "admin")
    body = msgspec.to_builtins(recorded(KEY, owner, PEPPER, 1))
    earlier = {name: each for name, each in body.items() if name not in ("scopes", "expires_ms")}
    record = msgspec.convert(earlier, KeyRecord)
    assert record.scopes == ("read", "write", "admin")
    assert not record.is_expired(2**53)


async def asked(
    api: Api, scopes: Sequence[Scope], method: str, target: str, role: Role = "admin"
) -> Exchange:
    """Make a request with a key of these scopes."""
    identify = identity(ring_of(role=role, scopes=scopes)).identify
    app = build(msgspec.structs.replace(api.world, identify=identify))
    return await call(app, method, target, Exchange(b"{}", {"authorization": f"Bearer {KEY}"}))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("scopes", "method", "target", "lacks"),
    [
        (["read"], "GET", "/v1/conversations", None),
        (["read"], "HEAD", "/v1/conversations", None),
        (["read"], "POST", "/v1/conversations", "write"),
        (["read"], "POST", "/conversations/", "write"),
        (["read"], "DELETE", "/v1/responses/resp_" + "0" * 32, "write"),
        (["read"], "POST", "/v1/check", "write"),
        (["write"], "GET", "/v1/conversations", "read"),
        (["write"], "POST", "/v1/conversations", None),
        (["admin"], "GET", "/v1/conversations", "read"),
        (["read", "admin"], "GET", "/v1/conversations?include_deleted=true", None),
        (["read"], "GET", "/v1/conversations?include_deleted=true", "admin"),
        (["read", "write"], "DELETE", f"/v1/responses/resp_{'0' * 32}?hard_delete=true", "admin"),
        (["read", "write"], "GET", "/v1/admin/anything", "admin"),
        (["read", "admin"], "POST", "/admin/anything", "write"),
    ],
)
async def test_a_key_is_good_for_its_scopes_and_names_the_one_it_lacks(
    api: Api, scopes: list[Scope], method: str, target: str, lacks: str | None
) -> None:
    exchange = await asked(api, scopes, method, target)
    if lacks is None:
        assert exchange.status == 200
        return
    if method == "HEAD":
        return
    assert error_of(exchange) == (403, "insufficient_scope")
    assert f"`{lacks}`" in exchange.json["error"]["message"]


async def test_a_key_without_read_still_asks_whether_the_api_is_well(client: Client) -> None:
    api = Api(client)
    assert (await asked(api, ["admin"], "GET", "/")).status == 200


async def test_an_operator_is_no_admin_of_any_tenant(api: Api) -> None:
    exchange = await asked(
        api, SCOPES, "GET", "/v1/conversations?include_deleted=true", role="operator"
    )
    assert error_of(exchange) == (403, "admin_required")
    caller = await identity(ring_of(role="operator")).identify(f"Bearer {KEY}")
    assert (caller.is_admin, caller.is_operator) == (False, True)
    without = await identity(ring_of(role="operator", scopes=["read"])).identify(f"Bearer {KEY}")
    assert not without.is_operator
