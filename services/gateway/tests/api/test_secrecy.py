"""What another user owns is answered like what never was, byte for byte, and nothing happens."""

from typing import Any

import pytest
from fastapi.routing import APIRoute
from msgspec import Raw

from turnwire_contracts.events import Requested
from turnwire_contracts.ids import TenantId
from turnwire_contracts.inspecting.sent_prompts import BACKEND_PROMPT, RebuiltPrompt
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, InputTokenCount
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.asgi import Exchange
from turnwire_testing.gateway import Api

ADA = "local/ada"
ADMIN = "local/root/admin"
UNKNOWN = {
    "resp": "resp_" + "0" * 32,
    "conv": "conv_" + "0" * 32,
    "item": f"msg_{'0' * 32}o0",
    "asked": f"mcpr_{'0' * 32}o1",
}
OWNERS = {
    "another user's": "local/bob",
    "an admin's": ADMIN,
    "another tenant's": "other/ada",
}

Route = tuple[str, str, JSON | None]


def _create(**fields: Any) -> Route:
    return "POST", "/v1/responses", {"model": "m", "input": "Hello?", **fields}


READS: list[Route] = [
    ("GET", "/v1/responses/{resp}", None),
    ("GET", "/v1/responses/{resp}?stream=true", None),
    ("GET", "/v1/responses/{resp}?stream=true&starting_after=1", None),
    ("GET", "/v1/responses/{resp}/input_items", None),
    ("GET", "/v1/responses/{resp}/events", None),
    ("GET", "/v1/responses/{resp}/events?stream=true", None),
    ("GET", "/v1/responses/{resp}/state", None),
    ("GET", "/v1/responses/{resp}/timeline", None),
    ("GET", "/v1/responses/{resp}/prompt", None),
    ("GET", "/v1/responses/{resp}/diff?with={resp}", None),
]
_REFERENCE = [{"type": "item_reference", "id": "{item}"}]
OF_RESPONSES: list[Route] = [
    *READS,
    ("DELETE", "/v1/responses/{resp}", None),
    ("POST", "/v1/responses/{resp}/cancel", None),
    ("POST", "/v1/responses/{resp}/fork", {}),
    ("POST", "/v1/responses/{resp}/fork", {"at": 1, "background": True}),
    ("POST", "/v1/responses/{resp}/rerun", {"input": "Hello?"}),
    ("POST", "/v1/approvals/{asked}", {"approve": True}),
    _create(previous_response_id="{resp}", background=True),
    _create(previous_response_id="{resp}", background=True, stream=True),
    _create(input=_REFERENCE),
    _create(input=_REFERENCE, background=True),
    ("POST", "/v1/responses/input_tokens", {"model": "m", "input": _REFERENCE}),
    ("POST", "/v1/responses/compact", {"model": "m", "input": _REFERENCE}),
    ("POST", "/v1/conversations", {"items": _REFERENCE}),
]
OF_CONVERSATIONS: list[Route] = [
    ("GET", "/v1/conversations/{conv}", None),
    ("POST", "/v1/conversations/{conv}", {"metadata": {}}),
    ("DELETE", "/v1/conversations/{conv}", None),
    ("GET", "/v1/conversations/{conv}/responses", None),
    ("GET", "/v1/conversations/{conv}/items", None),
    ("POST", "/v1/conversations/{conv}/items", {"items": [{"role": "user", "content": "x"}]}),
    ("GET", "/v1/conversations/{conv}/items/{item}", None),
    ("DELETE", "/v1/conversations/{conv}/items/{item}", None),
    _create(conversation="{conv}"),
    _create(conversation={"id": "{conv}"}, store=False),
    _create(conversation="{conv}", stream=True),
    ("POST", "/v1/responses/input_tokens", {"model": "m", "conversation": "{conv}"}),
]
OF_ADMINS: list[Route] = [
    ("GET", "/v1/responses/{resp}?include_deleted=true", None),
    ("GET", "/v1/responses/{resp}?include_deleted=true&stream=true", None),
    ("DELETE", "/v1/responses/{resp}?hard_delete=true", None),
    ("PATCH", "/v1/responses/{resp}?recovery_from_delete=true", None),
    ("GET", "/v1/conversations/{conv}?include_deleted=true", None),
    ("GET", "/v1/conversations/{conv}/responses?include_deleted=true", None),
    ("DELETE", "/v1/conversations/{conv}?hard_delete=true", None),
    ("PATCH", "/v1/conversations/{conv}?recovery_from_delete=true", None),
]
ROUTES = [*OF_RESPONSES, *OF_CONVERSATIONS, *OF_ADMINS]
_PARAMETERS = {
    "resp": "{response_id}",
    "conv": "{conversation_id}",
    "item": "{item_id}",
    "asked": "{approval_id}",
}


def named(value: Any, names: dict[str, str]) -> Any:
    """Put ids in the place of their names, anywhere."""
    match value:
        case str():
            for name, written in names.items():
                value = value.replace(f"{{{name}}}", written)
            return value
        case dict():
            return {key: named(each, names) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list():
            return [named(each, names) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


async def answer_to(
    api: Api, route: Route, names: dict[str, str], caller: str = ADA
) -> tuple[int, dict[str, str], bytes]:
    """Take a route; gives the answer with the names of ids in their place."""
    method, target, body = (named(each, names) for each in route)
    headers = {"authorization": caller, "x-request-id": "req_1"}
    exchange: Exchange = await api.call(method, target, body, **headers)
    answer = exchange.body
    for name, written in names.items():
        answer = answer.replace(written.encode(), f"{{{name}}}".encode())
    fields = {name: value for name, value in exchange.headers.items() if name != "content-length"}
    return exchange.status, fields, answer


def kept(api: Api, owner: str) -> list[object]:
    """Give all that is in the log of a tenant."""
    tenant = TenantId(owner.partition("/")[0])
    return [*api.log.ended(tenant), *api.log.conversations(tenant)]


async def theirs(api: Api, owner: str, **fields: Any) -> dict[str, str]:
    """Let a user have a conversation with a response; gives the ids."""
    begun = await api.call("POST", "/v1/conversations", {}, authorization=owner)
    conversation = begun.json["id"]
    body = {"model": "m", "input": "Hello?", "conversation": conversation, **fields}
    response = (await api.call("POST", "/v1/responses", body, authorization=owner)).json["id"]
    own = response.removeprefix("resp_")
    names = {"item": f"msg_{own}o0", "asked": f"mcpr_{own}o1"}
    return {"resp": response, "conv": conversation, **names}


@pytest.mark.parametrize("whose", OWNERS)
@pytest.mark.parametrize(
    "route", [*OF_RESPONSES, *OF_CONVERSATIONS], ids=lambda route: f"{route[0]} {route[1]}"
)
async def test_what_is_somebody_elses_looks_like_what_never_was(
    api: Api, route: Route, whose: str
) -> None:
    owner = OWNERS[whose]
    names = await theirs(api, owner)
    before = kept(api, owner)
    requests = len(api.log.requests)
    assert await answer_to(api, route, names) == await answer_to(api, route, UNKNOWN)
    assert kept(api, owner) == before
    assert len(api.log.requests) == requests


async def test_every_route_that_takes_an_id_is_tried_here(api: Api) -> None:
    taken = {
        (method, route.path)
        for route in api.app.routes
        if isinstance(route, APIRoute) and "_id}" in route.path
        # Keys and erasures are a real store's: `tests/e2e/test_isolation.py` tries them.
        if not route.path.startswith("/v1/admin/")
        for method in route.methods or ()
    }
    tried = {(method, named(target.partition("?")[0], _PARAMETERS)) for method, target, _ in ROUTES}
    assert taken
    assert taken <= tried


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_an_admin_of_another_tenant_finds_nothing(api: Api, route: Route) -> None:
    names = await theirs(api, ADA)
    before = kept(api, ADA)
    found = await answer_to(api, route, names, "other/root/admin")
    assert found == await answer_to(api, route, UNKNOWN, "other/root/admin")
    assert kept(api, ADA) == before


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_the_admin_of_the_tenant_finds_what_admins_may_see(api: Api, route: Route) -> None:
    """Others' responses are read, and not spoken for; conversations are there for admins."""
    counted = BACKEND_INPUT_TOKENS.encode_answer(InputTokenCount(7, estimated=False))
    await api.answers(BACKEND_INPUT_TOKENS.subject, counted)
    prompt = RebuiltPrompt(1, 1, "0.1.0", "responses", 4, Raw(b"null"), exact=None)
    await api.answers(BACKEND_PROMPT.subject, BACKEND_PROMPT.encode_answer(prompt))
    names = await theirs(api, ADA)
    found = await answer_to(api, route, names, ADMIN)
    if route in OF_RESPONSES and route not in READS:
        before = kept(api, ADA)
        assert found == await answer_to(api, route, UNKNOWN, ADMIN)
        assert kept(api, ADA) == before
        assert api.audit.events == []
    else:
        assert found[0] == 200
        if "/responses/input_tokens" not in route[1] and route[1] != "/v1/responses":
            assert api.audit.events


@pytest.mark.parametrize("route", READS, ids=lambda route: f"{route[0]} {route[1]}")
async def test_what_another_deleted_is_there_for_an_admin_who_asks_for_deleted_things(
    api: Api, route: Route
) -> None:
    names = await theirs(api, ADA)
    await api.call("DELETE", f"/v1/responses/{names['resp']}", authorization=ADA)
    assert await answer_to(api, route, names, ADMIN) == await answer_to(api, route, UNKNOWN, ADMIN)
    assert api.audit.events == []
    shown = await answer_to(
        api, ("GET", "/v1/responses/{resp}?include_deleted=true", None), names, ADMIN
    )
    assert shown[0] == 200


@pytest.mark.parametrize("state", ["queued", "running"])
@pytest.mark.parametrize("route", OF_RESPONSES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_what_runs_for_somebody_else_looks_like_what_never_was(
    api: Api, route: Route, state: str
) -> None:
    api.log.busy = True
    names = await theirs(api, "local/bob", background=True)
    request: Requested = api.log.requests[0]
    if state == "running":
        await api.log.start(request)
    before = api.log.turn(LOCAL.tenant, request.response_id)
    assert await answer_to(api, route, names) == await answer_to(api, route, UNKNOWN)
    assert api.log.turn(LOCAL.tenant, request.response_id) == before


@pytest.mark.parametrize(
    "route", [*OF_RESPONSES, *OF_CONVERSATIONS], ids=lambda route: f"{route[0]} {route[1]}"
)
async def test_what_was_deleted_looks_like_what_never_was(api: Api, route: Route) -> None:
    names = await theirs(api, ADA)
    gone = await api.call("DELETE", f"/v1/conversations/{names['conv']}", authorization=ADA)
    assert gone.status == 200
    before = kept(api, ADA)
    requests = len(api.log.requests)
    assert await answer_to(api, route, names) == await answer_to(api, route, UNKNOWN)
    assert kept(api, ADA) == before
    assert len(api.log.requests) == requests


@pytest.mark.parametrize("given", ["resp_x", "resp_" + "0" * 31 + "G", "*", "resp_.>", "a b", ">"])
@pytest.mark.parametrize("kind", ["resp", "conv"])
async def test_what_can_be_no_id_looks_like_what_never_was(api: Api, kind: str, given: str) -> None:
    routes = OF_RESPONSES[:6] if kind == "resp" else OF_CONVERSATIONS
    written = given if kind == "resp" else given.replace("resp", "conv")
    for route in routes:
        impossible = {**UNKNOWN, kind: written}
        assert await answer_to(api, route, impossible) == await answer_to(api, route, UNKNOWN)


async def test_lists_show_what_is_ones_own(api: Api) -> None:
    mine = await theirs(api, ADA)
    for owner in OWNERS.values():
        await theirs(api, owner)
    listed = (await api.call("GET", "/v1/conversations", authorization=ADA)).json
    assert [each["id"] for each in listed["data"]] == [mine["conv"]]
    all_users = (await api.call("GET", "/v1/conversations", authorization="local/x/admin")).json
    assert len(all_users["data"]) == 3


async def test_the_same_key_of_another_user_is_another_key(api: Api) -> None:
    body = {"model": "m", "input": "Hello?"}
    answers = [
        await api.call("POST", "/v1/responses", body, authorization=who, **{"idempotency-key": "k"})
        for who in (ADA, ADA, *OWNERS.values())
    ]
    assert [each.status for each in answers] == [200] * 5
    assert answers[0].body == answers[1].body
    assert len({each.json["id"] for each in answers}) == 4
