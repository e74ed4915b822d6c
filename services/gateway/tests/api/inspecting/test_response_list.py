"""`GET /v1/responses`: pages of summaries, filters, and who may see whose."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.audit.acts import AdminActed
from turnwire_contracts.inspecting.response_list import STORE_RESPONSES, AskForResponses
from turnwire_contracts.json_values import JSON
from turnwire_testing.examples import AT
from turnwire_testing.gateway import Api, error_of

LIST = "/v1/responses"
ADMIN = "Bearer acme/ann/admin"
USER = "Bearer acme/bob"
OTHER = "Bearer acme/eve"
OPERATOR = "Bearer ops/olga/operator"


@pytest.fixture
async def api(client: Client) -> Api:
    return await Api(client).with_store()


async def ids(api: Api, query: str = "", authorization: str | None = None) -> list[str]:
    """Name the responses of a page."""
    headers = {} if authorization is None else {"authorization": authorization}
    page = (await api.get(LIST + query, **headers)).json
    return [each["id"] for each in page["data"]]


async def test_a_page_has_the_shape_of_a_list_and_summaries_without_content(api: Api) -> None:
    said = await api.say("secret words")
    exchange = await api.get(LIST)
    assert b"secret" not in exchange.body
    assert exchange.json == {
        "object": "list",
        "data": [
            {
                "id": said["id"],
                "object": "response.summary",
                "created_at": AT / 1000,
                "completed_at": AT / 1000,
                "status": "completed",
                "model": said["model"],
                "owner": "local",
                "application": None,
                "conversation": None,
                "previous_response_id": None,
                "background": False,
                "tools": [],
                "guard": "none",
                "error_code": None,
                "incomplete_reason": None,
                "duration_ms": 0,
                "usage": None,
            }
        ],
        "first_id": said["id"],
        "last_id": said["id"],
        "has_more": False,
    }


async def test_pages_follow_one_another_in_either_order(api: Api) -> None:
    said = [(await api.say(str(number)))["id"] for number in range(5)]
    for order, expected in (("desc", said[::-1]), ("asc", said)):
        seen: list[str] = []
        query, more = f"?limit=2&order={order}", True
        after = ""
        while more:
            page = (await api.get(f"{LIST}{query}{after}")).json
            seen += [each["id"] for each in page["data"]]
            after, more = f"&after={page['last_id']}", page["has_more"]
        assert seen == expected


async def test_filters_reach_the_store_as_they_are_meant(api: Api, client: Client) -> None:
    asked: asyncio.Queue[AskForResponses] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        asked.put_nowait(STORE_RESPONSES.decode_question(message.data))

    await client.subscribe(STORE_RESPONSES.subject, cb=hear)
    await api.get(
        f"{LIST}?status=failed&model=m&application=a&conversation=c&tool=t&guard=blocked"
        "&error_code=e&created_from=5.0625&created_to=7&background=false&owner=bob&search=x&limit=3"
    )
    async with asyncio.timeout(10):
        question = await asked.get()
    filters = question.filters
    assert (filters.status, filters.model, filters.application) == ("failed", "m", "a")
    assert (filters.conversation, filters.tool, filters.guard) == ("c", "t", "blocked")
    assert (filters.error_code, filters.background) == ("e", False)
    assert (filters.created_from, filters.created_to) == (5062, 7999)
    assert (question.owner, question.search, question.limit) == ("bob", "x", 3)


BAD = {
    "status": ["done", "Completed"],
    "guard": ["maybe"],
    "background": ["perhaps"],
    "created_from": ["yesterday", "-1", "1.5.5", "1e3", "9999999999999", ""],
    "created_to": ["x"],
    "limit": ["0", "101", "many"],
    "order": ["up"],
    "after": ["resp_1", f"resp_{'0' * 32}"],
    "tenant": ["a b", ""],
    **{name: ["x" * 257, ""] for name in ("model", "application", "conversation", "tool")},
    **{name: ["x" * 257, ""] for name in ("error_code", "owner", "search")},
}


@pytest.mark.parametrize(("name", "value"), [(name, each) for name in BAD for each in BAD[name]])
async def test_a_bad_value_is_refused_by_name(api: Api, name: str, value: str) -> None:
    exchange = await api.get(f"{LIST}?{name}={value}")
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == name


async def test_users_see_their_own_and_admins_the_whole_tenants(api: Api) -> None:
    body: JSON = {"model": "m", "input": "Hello?"}
    bobs = (await api.call("POST", LIST, body, authorization=USER)).json["id"]
    eves = (await api.call("POST", LIST, body, authorization=OTHER)).json["id"]
    assert await ids(api, authorization=USER) == [bobs]
    assert await ids(api, "?owner=bob", USER) == [bobs]
    assert error_of(await api.get(f"{LIST}?owner=eve", authorization=USER)) == (
        403,
        "admin_required",
    )
    assert await ids(api, authorization=ADMIN) == [eves, bobs]
    assert await ids(api, "?owner=bob", ADMIN) == [bobs]
    assert await ids(api, authorization="Bearer others/ann/admin") == []
    noted = [event for event in api.audit.events if isinstance(event, AdminActed)]
    assert [(each.act, each.about) for each in noted] == [("see_others", "responses")] * 3
    exchange = await api.get(f"{LIST}?after={bobs}", authorization=OTHER)
    assert error_of(exchange) == (400, "invalid_value")


async def test_an_operator_lists_any_tenants_without_content_and_that_is_noted(api: Api) -> None:
    body: JSON = {"model": "m", "input": "Hello?"}
    bobs = (await api.call("POST", LIST, body, authorization=USER)).json["id"]
    assert await ids(api, "?tenant=acme", OPERATOR) == [bobs]
    assert await ids(api, "?tenant=acme&owner=eve", OPERATOR) == []
    assert await ids(api, "?tenant=empty", OPERATOR) == []
    noted = [event for event in api.audit.events if isinstance(event, AdminActed)]
    assert [(each.tenant, each.by.user, each.act) for each in noted] == [
        ("acme", "olga", "see_others"),
        ("acme", "olga", "see_others"),
        ("empty", "olga", "see_others"),
    ]
    exchange = await api.get(f"{LIST}?tenant=acme&search=hello", authorization=OPERATOR)
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "search"


@pytest.mark.parametrize(
    ("caller", "code"), [(ADMIN, "operator_required"), (USER, "admin_required")]
)
async def test_the_tenant_of_others_is_not_for_admins(api: Api, caller: str, code: str) -> None:
    for name in ("others", "that-never-was"):
        exchange = await api.get(f"{LIST}?tenant={name}", authorization=caller)
        assert error_of(exchange) == (403, code)
    assert await ids(api, "?tenant=acme", ADMIN) == []


async def test_what_cannot_be_noted_is_not_listed(api: Api) -> None:
    api.audit.refuses = True
    exchange = await api.get(LIST, authorization=ADMIN)
    assert error_of(exchange) == (503, "audit_log_unavailable")
    assert (await api.get(f"{LIST}?owner=ann", authorization=ADMIN)).status == 200


async def test_a_search_says_how_far_it_came(api: Api) -> None:
    await api.say("Tulips.")
    page = (await api.get(f"{LIST}?search=tulips")).json
    assert page["scan"] == {"scanned": 1, "complete": True, "last_scanned_id": None}


async def test_head_is_answered_as_get_without_a_body(api: Api) -> None:
    exchange = await api.call("HEAD", LIST)
    assert (exchange.status, exchange.body) == (200, b"")
