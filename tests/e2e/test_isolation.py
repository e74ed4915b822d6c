"""What is somebody else's looks like what never was: every route, every kind of id, every caller.

Real processes and real keys; the gateway's own tests try more states of a response.
"""

from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest

from e2e.rig.conversation import MODEL, asks
from e2e.rig.desk import Desk
from e2e.rig.secrecy import (
    ASKED,
    CONVERSATIONS,
    OF_ADMINISTRATION,
    OF_ADMINS,
    READS,
    ROUTES,
    SPEAKS,
    SPOKEN,
    UNKNOWN,
    Route,
    Told,
    anonymous,
    ids_of,
    leaks,
    named,
    told,
)
from e2e.rig.spoken import begin
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api, text_of
from scripted_backend import ScriptedBackend, calls, says
from turnwire_testing.sockets import connected

OWNER = "the owner"
ADMIN = "an admin of the tenant"
OPERATOR = "an operator"
OUTSIDERS = [
    "another user of the tenant",
    "a user of another tenant",
    "an admin of another tenant",
    OPERATOR,
]
CALLERS = {
    OWNER: ("acme", "ada", "user"),
    OUTSIDERS[0]: ("acme", "bob", "user"),
    ADMIN: ("acme", "root", "admin"),
    OUTSIDERS[1]: ("globex", "ada", "user"),
    OUTSIDERS[2]: ("globex", "root", "admin"),
    OPERATOR: ("ops", "olga", "operator"),
}
KINDS = ["ended", "deleted", "in the background", "streamed"]

Callers = dict[str, Api]


@pytest.fixture(scope="module")
def bearers(stack: Stack) -> dict[str, dict[str, str]]:
    """What each caller shows: an API key as `turnwire keys create` makes it."""

    def made(who: tuple[str, str, str]) -> str:
        tenant, user, role = who
        return stack.new_key("--user", user, "--role", role, tenant=tenant)

    with ThreadPoolExecutor(2) as at_once:
        keys = list(at_once.map(made, CALLERS.values()))
    return {
        name: {"Authorization": f"Bearer {key}"} for name, key in zip(CALLERS, keys, strict=True)
    }


@pytest.fixture
async def callers(api: Api, bearers: dict[str, dict[str, str]]) -> Callers:
    """The API as each caller sees it, once the gateway knows all keys."""
    apis = {name: api.of(bearer) for name, bearer in bearers.items()}
    for each in apis.values():
        await each.until("/conversations?limit=1", lambda found: "error" not in found)
    return apis


@asynccontextmanager
async def made(
    kind: str, callers: Callers, backend: ScriptedBackend
) -> AsyncGenerator[dict[str, str]]:
    """Let the owner have a response of that kind in a conversation; gives the ids.

    One that runs goes on behind the block, and must come to its own end.
    """
    owner = callers[OWNER]
    conversation = (await begin(owner))["id"]
    body = asks("Hello?", conversation=conversation)
    runs = kind in ("in the background", "streamed")
    backend.script(says("One.", "Two.").paused(after=1) if runs else says("One."))
    if kind == "streamed":
        async with owner.stream(body) as stream:
            response = (await stream.until("response.created"))["response"]["id"]
            await backend.saw_pause()
            yield ids_of(response, conversation)
            backend.release()
            end = (await stream.to_the_end())[-1]["response"]
    else:
        status, begun = await owner.post({**body, "background": runs})
        assert status == (202 if runs else 200), begun
        if runs:
            await backend.saw_pause()
        elif kind == "deleted":
            assert (await owner.call("DELETE", f"/conversations/{conversation}"))[0] == 200
        yield ids_of(begun["id"], conversation)
        if runs:
            backend.release()
        end = await owner.ended(begun["id"]) if runs else {}
    if runs:
        assert text_of(end) == "One.Two."


async def failed(api: Api, names: dict[str, str]) -> str:
    """Answer a question for approval in the background; gives why that fails."""
    body = named(orjson.dumps(asks(ASKED, background=True)).decode(), names)
    _, response = await api.post(body.encode())
    ended = await api.ended(response["id"])
    assert ended["status"] == "failed", ended
    return anonymous(orjson.dumps(ended["error"]).decode(), names)


async def seen(api: Api, names: dict[str, str]) -> list[Told]:
    """Give all that somebody sees of these."""
    routes = [*READS[:1], *READS[3:], *CONVERSATIONS[:4]]
    return [await told(api, route, names) for route in routes]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_route_tells_an_id_of_somebody_elses_from_one_that_never_was(
    callers: Callers, backend: ScriptedBackend, kind: str
) -> None:
    async with made(kind, callers, backend) as names:
        before = await seen(callers[OWNER], names)
        for outsider in OUTSIDERS:
            assert await leaks(callers[outsider], ROUTES, names) == [], outsider
        assert await leaks(callers[ADMIN], SPEAKS, names) == []
        assert await seen(callers[OWNER], names) == before
        assert len(backend.requests) == 1


async def test_every_route_that_takes_an_id_is_tried(
    session: aiohttp.ClientSession, stack: Stack
) -> None:
    async with session.get(stack.url.removesuffix("/v1") + "/openapi.json") as answer:
        described: JSON = await answer.json()
    parameters = {
        "response_id": "{resp}",
        "conversation_id": "{conv}",
        "item_id": "{item}",
        "approval_id": "{asked}",
        "key_id": "{key}",
        "erasure_id": "{erasure}",
    }
    taken = {
        (method.upper(), named(path.removeprefix("/v1"), parameters))
        for path, operations in described["paths"].items()
        for method in operations
        if "_id}" in path
    }
    assert taken
    tried = (*ROUTES, *OF_ADMINISTRATION)
    assert taken <= {(method, path.partition("?")[0]) for method, path, _ in tried}


async def test_keys_and_erasures_of_a_tenant_are_nothing_to_others_and_no_admin_is_an_operator(
    callers: Callers,
) -> None:
    admin = callers[ADMIN]
    first, second = [
        (await admin.call("POST", "/admin/keys", {"user": "bob", "role": "user"}))[1]["id"]
        for _ in range(2)
    ]
    erasing = {"tenant": "acme", "user": "never was"}
    _, erasure = await admin.call("POST", "/admin/erasures", erasing)
    names = {**UNKNOWN, "key": first, "erasure": erasure["id"]}
    for outsider in OUTSIDERS[:3]:
        assert await leaks(callers[outsider], OF_ADMINISTRATION, names) == [], outsider
    for caller, key in ((admin, first), (callers[OPERATOR], second)):
        names["key"] = key
        for route in OF_ADMINISTRATION:
            assert (await told(caller, route, names))[0] == 200, route


async def test_an_admin_of_the_tenant_reads_what_others_made(
    callers: Callers, backend: ScriptedBackend
) -> None:
    owner, admin = callers[OWNER], callers[ADMIN]
    async with made("ended", callers, backend) as names:
        for route in (*READS, *CONVERSATIONS[:4]):
            assert await told(admin, route, names) == await told(owner, route, names), route
        backend.always(says("Two."))
        for route in CONVERSATIONS[4:-2]:
            status, _, content = await told(admin, route, names)
            assert status in {200, 202}, (route, content)
            if status == 202:
                # Until it has ended the conversation is locked.
                await admin.ended(orjson.loads(content)["id"])


async def test_an_admin_sees_what_others_deleted_and_brings_it_back(
    callers: Callers, backend: ScriptedBackend
) -> None:
    owner, admin = callers[OWNER], callers[ADMIN]
    async with made("deleted", callers, backend) as names:
        assert await leaks(admin, [*READS, *SPEAKS, *CONVERSATIONS], names) == []
        for route in (*OF_ADMINS[:4], *OF_ADMINS[4:6]):
            assert (await told(admin, route, names))[0] == 200, route
        assert (await told(owner, READS[0], names))[0] == 200
        for route in OF_ADMINS[6:]:
            assert (await told(admin, route, names))[0] == 200, route
        assert await leaks(owner, [*READS, *CONVERSATIONS], names) == []


async def test_nobody_answers_a_question_for_approval_that_another_was_asked(
    callers: Callers, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("note", {"text": "buy beans"}))
    tools = [desk.tool(require_approval="always")]
    _, response = await callers[OWNER].post(asks("Note it.", tools=tools))
    question = response["output"][-1]
    assert question["type"] == "mcp_approval_request"
    names = {**ids_of(response["id"], UNKNOWN["conv"]), "asked": question["id"]}
    answers: list[Route] = [
        (method, path, {**body, "tools": tools})
        for method, path, body in SPEAKS
        if body is not None and (body.get("input") == ASKED or "approve" in body)
    ]
    assert answers
    for caller in (*OUTSIDERS, ADMIN):
        assert await leaks(callers[caller], answers, names) == [], caller
        assert await failed(callers[caller], names) == await failed(callers[caller], UNKNOWN)
    assert desk.calls("note") == []
    assert len(backend.requests) == 1


@pytest.mark.parametrize("kind", ["ended", "streamed"])
async def test_a_socket_continues_nothing_of_somebody_elses(
    callers: Callers,
    bearers: dict[str, dict[str, str]],
    stack: Stack,
    backend: ScriptedBackend,
    kind: str,
) -> None:
    creates = [
        body
        for _, path, body in SPEAKS
        if path == "/responses" and body is not None and set(body) <= SPOKEN
    ]
    creates.append(asks("Hello?", conversation="{conv}"))
    async with made(kind, callers, backend) as names:
        for caller in OUTSIDERS:
            async with connected(stack.url, bearers[caller]) as socket:
                for body in creates:
                    answers: list[str] = []
                    for ids in (names, UNKNOWN):
                        wanted = orjson.loads(named(orjson.dumps(body).decode(), ids))
                        error = orjson.dumps(await socket.error(**wanted)).decode()
                        answers.append(anonymous(error, ids))
                    assert answers[0] == answers[1], (caller, body)
        assert len(backend.requests) == 1


async def test_the_same_idempotency_key_of_another_is_another_key(
    callers: Callers, backend: ScriptedBackend
) -> None:
    backend.always(says("One."))
    answers = [
        await api.post(asks("Hello?"), idempotency_key="the key")
        for api in (callers[OWNER], *callers.values())
    ]
    assert {status for status, _ in answers} == {200}
    assert answers[0] == answers[1]
    assert len({response["id"] for _, response in answers}) == len(CALLERS)
    assert len(backend.requests) == len(CALLERS)


async def test_lists_have_what_is_ones_own_and_an_admin_has_all_of_the_tenant(
    callers: Callers, backend: ScriptedBackend
) -> None:
    del backend
    begun = {name: (await begin(api))["id"] for name, api in callers.items()}
    listed: dict[str, set[str]] = {}
    for name, api in callers.items():
        _, page = await api.get("/conversations?limit=100")
        listed[name] = {each["id"] for each in page["data"]} & {*begun.values()}
    tenant_of = {name: tenant for name, (tenant, _, _) in CALLERS.items()}
    for name, (tenant, _, role) in CALLERS.items():
        theirs = {begun[each] for each in CALLERS if tenant_of[each] == tenant}
        assert listed[name] == (theirs if role == "admin" else {begun[name]})


async def test_lists_of_responses_have_what_is_ones_own_and_an_admin_has_all_of_the_tenant(
    callers: Callers, backend: ScriptedBackend
) -> None:
    backend.script(*([says("Hi.")] * len(CALLERS)))
    begun = {name: (await api.post(asks("Hi.")))[1]["id"] for name, api in callers.items()}
    tenant_of = {name: tenant for name, (tenant, _, _) in CALLERS.items()}
    for name, (tenant, _, role) in CALLERS.items():
        theirs = {begun[each] for each in CALLERS if tenant_of[each] == tenant}
        for query in ("", "&status=completed", f"&model={MODEL}", "&search=Hi."):
            _, page = await callers[name].get(f"/responses?limit=100{query}")
            listed = {each["id"] for each in page["data"]} & {*begun.values()}
            assert listed == (theirs if role == "admin" else {begun[name]})
