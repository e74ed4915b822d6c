"""An operator reads what was said in a tenant only with a reason, which is noted first."""

import pytest

from turnwire_contracts.audit.acts import Actor, AdminActed, ContentOpened
from turnwire_contracts.ids import TenantId
from turnwire_testing.gateway import Api, error_of

ADA = "acme/ada"
OPERATOR = "ops/olga/operator"
ASKED = {"x-turnwire-tenant": "acme", "x-turnwire-reason": "ticket 17"}


@pytest.fixture
async def said(api: Api) -> str:
    """The id of what Ada of acme asked."""
    body = {"model": "m", "input": "Hello?"}
    return (await api.call("POST", "/v1/responses", body, authorization=ADA)).json["id"]


async def test_it_is_read_as_the_tenant_has_it_and_noted_there(api: Api, said: str) -> None:
    named = {"authorization": OPERATOR, **ASKED, "x-request-id": "req-1"}
    opened = await api.get(f"/v1/responses/{said}", **named)
    assert opened.json == (await api.get(f"/v1/responses/{said}", authorization=ADA)).json
    first = api.audit.events[0]
    assert first == ContentOpened(
        tenant=TenantId("acme"),
        at=api.now,
        by=Actor("olga", None, "req-1"),
        about=said,
        reason="ticket 17",
    )
    assert [type(each) for each in api.audit.events] == [ContentOpened, AdminActed]


async def test_lists_are_noted_by_their_name_and_other_words_of_a_path_not_at_all(
    api: Api,
) -> None:
    for path in ("/v1/conversations", "/v1/responses/what-he-said"):
        await api.get(path, authorization=OPERATOR, **ASKED)
    opened = [each for each in api.audit.events if isinstance(each, ContentOpened)]
    assert [each.about for each in opened] == ["conversations", "unknown"]


async def test_without_naming_the_tenant_it_looks_as_if_it_had_never_been(
    api: Api, said: str
) -> None:
    exchange = await api.get(f"/v1/responses/{said}", authorization=OPERATOR)
    assert error_of(exchange) == (404, "response_not_found")
    assert api.audit.events == []


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("", "missing_required_parameter"),
        ("  ", "missing_required_parameter"),
        ("x", "invalid_value"),
        ("x" * 257, "invalid_value"),
    ],
)
async def test_without_a_reason_nothing_is_opened(
    api: Api, said: str, reason: str, code: str
) -> None:
    headers = {**ASKED, "x-turnwire-reason": reason}
    exchange = await api.get(f"/v1/responses/{said}", authorization=OPERATOR, **headers)
    assert error_of(exchange) == (400, code)
    assert exchange.json["error"]["param"] == "x-turnwire-reason"
    assert api.audit.events == []


async def test_a_tenant_that_can_be_none_is_refused_by_name(api: Api) -> None:
    headers = {**ASKED, "x-turnwire-tenant": "a.b"}
    exchange = await api.get("/v1/conversations", authorization=OPERATOR, **headers)
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "x-turnwire-tenant"


@pytest.mark.parametrize("caller", ["globex/bob", "globex/root/admin"])
async def test_whoever_is_no_operator_names_no_other_tenant(
    api: Api, said: str, caller: str
) -> None:
    exchange = await api.get(f"/v1/responses/{said}", authorization=caller, **ASKED)
    assert error_of(exchange) == (403, "operator_required")
    assert api.audit.events == []


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_an_operator_changes_nothing_in_another_tenant(
    api: Api, said: str, method: str
) -> None:
    named = {"authorization": OPERATOR, **ASKED}
    exchange = await api.call(method, f"/v1/responses/{said}", {}, **named)
    assert error_of(exchange) == (403, "tenant_read_only")
    assert (await api.get(f"/v1/responses/{said}", authorization=ADA)).status == 200


async def test_what_cannot_be_noted_is_not_opened(api: Api, said: str) -> None:
    api.audit.refuses = True
    exchange = await api.get(f"/v1/responses/{said}", authorization=OPERATOR, **ASKED)
    assert error_of(exchange) == (503, "audit_log_unavailable")
