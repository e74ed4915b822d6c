"""Who may see what: one's own, and an admin everything of the tenant."""

import pytest

from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.auth.caller import ADMIN, LOCAL, Caller, caller_of, require_admin
from turnwire_gateway.errors import ApiError
from turnwire_testing.gateway import Api, error_of

ADA = Caller(TenantId("local"), OwnerId("ada"))
ADMIN_ONLY = [
    ("DELETE", "/v1/responses/{resp}?hard_delete=true"),
    ("GET", "/v1/responses/{resp}?include_deleted=true"),
    ("PATCH", "/v1/responses/{resp}?recovery_from_delete=true"),
    ("DELETE", "/v1/conversations/{conv}?hard_delete=true"),
    ("GET", "/v1/conversations?include_deleted=true"),
    ("GET", "/v1/conversations/{conv}?include_deleted=true"),
    ("GET", "/v1/conversations/{conv}/responses?include_deleted=true"),
    ("PATCH", "/v1/conversations/{conv}?recovery_from_delete=true"),
]


@pytest.mark.parametrize("authorization", [None, "", "Bearer any", "Basic eDp5", "\0"])
async def test_without_keys_everybody_is_the_one_local_user(authorization: str | None) -> None:
    assert await caller_of(authorization) == LOCAL
    assert LOCAL.is_admin


def test_a_user_sees_what_is_theirs() -> None:
    assert ADA.may_see(OwnerId("ada"))
    assert not ADA.may_see(OwnerId("bob"))
    assert Caller(ADA.tenant, ADA.owner, frozenset({ADMIN})).may_see(OwnerId("bob"))


def test_who_is_no_admin_is_told_what_only_admins_may() -> None:
    require_admin(LOCAL, "do this")
    with pytest.raises(ApiError) as raised:
        require_admin(ADA, "do this")
    failure = raised.value.failure
    assert (failure.http_status, failure.code) == (403, "admin_required")
    assert failure.message == "Only an admin may do this."


@pytest.mark.parametrize(("method", "target"), ADMIN_ONLY)
@pytest.mark.parametrize("theirs", [True, False], ids=["their own", "unknown"])
async def test_what_only_admins_may_is_refused_before_anything_is_looked_up(
    api: Api, method: str, target: str, *, theirs: bool
) -> None:
    ada = "local/ada"
    conversation = (await api.call("POST", "/v1/conversations", {}, authorization=ada)).json["id"]
    body = {"model": "m", "input": "Hello?", "conversation": conversation}
    response = (await api.call("POST", "/v1/responses", body, authorization=ada)).json["id"]
    names = {"resp": response, "conv": conversation}
    unknown = {"resp": "resp_" + "0" * 32, "conv": "conv_" + "0" * 32}
    exchange = await api.call(
        method, target.format(**(names if theirs else unknown)), authorization=ada
    )
    assert error_of(exchange) == (403, "admin_required")
    admin = await api.call(method, target.format(**names), authorization="local/root/admin")
    assert admin.status == 200


@pytest.mark.parametrize(("method", "target"), ADMIN_ONLY)
async def test_a_switch_that_is_off_needs_no_admin(api: Api, method: str, target: str) -> None:
    names = {"resp": "resp_" + "0" * 32, "conv": "conv_" + "0" * 32}
    off = target.format(**names).replace("=true", "=false")
    exchange = await api.call(method, off, authorization="local/ada")
    assert exchange.status != 403
