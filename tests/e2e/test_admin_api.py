"""The routes of administration: what admins do in their tenant, and operators in all."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from openai import AsyncOpenAI, AuthenticationError

from e2e.rig.broker import connected_as
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says
from turnwire_chassis.broker_authorization.rights import User
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.ids import ResponseId

NOBODYS = "key_" + "0" * 12
CALLERS = {
    "operator": ("ops", "olga", "operator"),
    "admin": ("acme", "root", "admin"),
    "user": ("acme", "ada", "user"),
    "other admin": ("globex", "root", "admin"),
}


@pytest.fixture(scope="module")
def operator_key(stack: Stack) -> str:
    """An operator's key, which is made on the machine itself."""
    return stack.new_key("--user", "olga", "--role", "operator", tenant="ops")


@pytest.fixture
async def operator(api: Api, operator_key: str) -> Api:
    """The API as an operator sees it."""
    return api.of({"Authorization": f"Bearer {operator_key}"})


async def key_of(maker: Api, **fields: Any) -> JSON:
    """Make a key by HTTP."""
    status, made = await maker.call(
        "POST", "/admin/keys", {"user": "ada", "role": "user", **fields}
    )
    assert status == 200, made
    return made


async def callers(api: Api, operator: Api) -> Mapping[str, Api]:
    """Everybody who can be told apart."""
    found = {"operator": operator}
    for name, (tenant, user, role) in CALLERS.items():
        if name != "operator":
            made = await key_of(operator, tenant=tenant, user=user, role=role)
            found[name] = api.of({"Authorization": f"Bearer {made['key']}"})
    return found


async def test_a_key_is_made_used_listed_and_revoked_by_http(
    api: Api, stack: Stack, operator: Api
) -> None:
    expires_at = int(time.time()) + 3600
    made = await key_of(operator, tenant="acme", label="ci", scopes=["read"], expires_at=expires_at)
    assert (made["status"], made["scopes"], made["expires_at"]) == ("active", ["read"], expires_at)
    theirs = api.of({"Authorization": f"Bearer {made['key']}"})
    assert (await theirs.get("/conversations"))[0] == 200
    status, refused = await theirs.call("POST", "/conversations", {})
    assert (status, refused["error"]["code"]) == (403, "insufficient_scope")

    _, listed = await operator.get("/admin/keys?tenant=acme&user=ada&status=active")
    (shown,) = [each for each in listed["data"] if each["id"] == made["id"]]
    assert shown == {name: value for name, value in made.items() if name != "key"}
    assert made["key"] not in str(listed)

    status, revoked = await operator.call("DELETE", f"/admin/keys/{made['id']}")
    assert (status, revoked["deleted"], revoked["status"]) == (200, True, "revoked")
    assert (await theirs.get("/conversations"))[0] == 401
    async with AsyncOpenAI(base_url=stack.url, api_key=made["key"], max_retries=0) as client:
        with pytest.raises(AuthenticationError):
            await client.models.list()
    assert (await operator.call("DELETE", f"/admin/keys/{made['id']}"))[1] == revoked


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"role": "root"}, "role"),
        ({"user": ""}, "user"),
        ({"label": "x" * 65}, "label"),
        ({"tenant": "a.b"}, "tenant"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes[0]"),
        ({"expires_at": 1}, "expires_at"),
        ({"expires_at": 2**40}, "expires_at"),
        ({"expire_at": 2**33}, "expire_at"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_by_its_field(
    operator: Api, fields: JSON, param: str
) -> None:
    body = {"user": "ada", "role": "user", **fields}
    status, refused = await operator.call("POST", "/admin/keys", body)
    assert (status, refused["error"]["param"]) == (400, param), refused


async def test_an_admin_administers_their_own_tenant_and_no_other(api: Api, operator: Api) -> None:
    everybody = await callers(api, operator)
    admin, other = everybody["admin"], everybody["other admin"]
    mine = await key_of(admin, label="mine")
    assert mine["tenant"] == "acme"
    for body in (
        {"user": "x", "role": "user", "tenant": "globex"},
        {"user": "x", "role": "operator"},
    ):
        status, refused = await admin.call("POST", "/admin/keys", body)
        assert (status, refused["error"]["code"]) == (403, "operator_required")
    for path in ("/admin/keys", "/admin/audit", "/admin/limits"):
        _, listed = await admin.get(f"{path}?limit=100" if path != "/admin/limits" else path)
        assert {each["tenant"] for each in listed["data"]} == {"acme"}, path
        for tenant in ("globex", "never"):
            status, refused = await admin.get(f"{path}?tenant={tenant}")
            assert (status, refused["error"]["code"]) == (403, "operator_required"), path
        status, refused = await everybody["user"].get(path)
        assert (status, refused["error"]["code"]) == (403, "admin_required"), path
    unknown = await other.call("DELETE", f"/admin/keys/{NOBODYS}")
    theirs = await other.call("DELETE", f"/admin/keys/{mine['id']}")
    assert theirs[0] == unknown[0] == 404
    assert str(theirs[1]).replace(mine["id"], NOBODYS) == str(unknown[1])
    _, listed = await admin.get("/admin/keys?status=active&limit=100")
    assert mine["id"] in [each["id"] for each in listed["data"]]


async def test_the_audit_log_is_read_in_pages_by_what_it_says(operator: Api) -> None:
    made = [await key_of(operator, tenant="paged", user=f"u{n}") for n in range(5)]
    asked = "/admin/audit?tenant=paged&type=key_created&limit=2"
    seen: list[JSON] = []
    after = ""
    while True:
        _, page = await operator.get(asked + after)
        seen += page["data"]
        if not page["has_more"]:
            break
        after = f"&after={page['last_sequence']}"
    assert [each["data"]["key_id"] for each in seen] == [each["id"] for each in reversed(made)]
    assert {each["actor"]["user"] for each in seen} == {"olga"}
    _, oldest = await operator.get(f"{asked}&order=asc&after={seen[3]['sequence']}")
    assert [each["sequence"] for each in oldest["data"]] == [
        seen[2]["sequence"],
        seen[1]["sequence"],
    ]
    _, nobodys = await operator.get("/admin/audit?tenant=paged&user=nobody")
    assert (nobodys["data"], nobodys["has_more"]) == ([], False)
    later = int(time.time()) + 3600
    assert (await operator.get(f"/admin/audit?tenant=paged&since={later}"))[1]["data"] == []
    assert (await operator.get("/admin/audit?tenant=paged&until=1"))[1]["data"] == []
    _, reads = await operator.get("/admin/audit?tenant=paged&type=admin_acted")
    assert {each["data"]["act"] for each in reads["data"]} == {"see_audit"}
    for wrong in ("type=anything", "order=up", "limit=0", "after=x", "since=-1"):
        status, refused = await operator.get(f"/admin/audit?{wrong}")
        assert (status, refused["error"]["param"]) == (400, wrong.partition("=")[0])


async def test_a_dead_letter_is_listed_retried_and_marked(operator: Api, stack: Stack) -> None:
    about = "resp_" + "d" * 32
    subject = f"turn.acme.{about}.closed"
    letter = DeadLetter(subject, 1, "no reason", ResponseId(about))
    async with connected_as(User.STORE, stack) as client:
        dead = f"dead.unprojectable.{about}"
        placed = await client.jetstream().publish(dead, msgspec.json.encode(letter))
    _, listed = await operator.get(f"/admin/system/dead?after={placed.seq - 1}&limit=1")
    (shown,) = listed["data"]
    assert (shown["number"], shown["tenant"], shown["about"]) == (placed.seq, "acme", about)
    assert (shown["reason"], shown["retried_at"]) == ("no reason", None)
    assert (await operator.get("/admin/system"))[1]["dead_letters"]["total"] >= 1
    status, retried = await operator.call("POST", f"/admin/system/dead/{placed.seq}/retry")
    assert (status, retried["result"], retried["delivered_again"]) == (200, "gone", False)
    _, listed = await operator.get(f"/admin/system/dead?after={placed.seq - 1}&limit=1")
    assert listed["data"][0]["result"] == "gone"
    assert listed["data"][0]["retried_at"] is not None


OF_OPERATORS = [
    ("GET", "/admin/system", None),
    ("GET", "/admin/system/dead", None),
    ("POST", "/admin/system/dead/1/retry", None),
    ("GET", "/admin/guard", None),
    ("POST", "/admin/guard/test", {"check_type": "input", "input": "Hello?"}),
    ("GET", "/admin/tool_servers", None),
    ("GET", "/admin/backends", None),
]


async def test_what_concerns_the_deployment_is_for_operators(api: Api, operator: Api) -> None:
    everybody = await callers(api, operator)
    for name in ("admin", "user", "other admin"):
        for method, path, body in OF_OPERATORS:
            status, refused = await everybody[name].call(method, path, body)
            assert (status, refused["error"]["code"]) == (403, "operator_required"), (name, path)


async def test_the_system_is_told_with_all_its_parts(operator: Api) -> None:
    status, system = await operator.get("/admin/system")
    assert (status, system["problems"]) == (200, {})
    services = {each["service"] for each in system["members"]}
    assert services == {"gateway", "orchestrator", "store", "guard", "tool-runner"}
    assert {each["status"] for each in system["members"]} == {"ok"}, system["members"]
    assert {each["name"] for each in system["streams"]} >= {"TURNS", "OUTPUT", "DEAD", "AUDIT"}
    assert "orchestrator" in {each["name"] for each in system["queues"]}
    assert system["projection"]["checkpoint"] <= system["projection"]["log_end"]
    for number in ("999999", "x"):
        status, refused = await operator.call("POST", f"/admin/system/dead/{number}/retry")
        assert (status, refused["error"]["code"]) == (404, "dead_letter_not_found")


@pytest.mark.usefixtures("backend")
async def test_guard_servers_and_backends_are_told(operator: Api) -> None:
    _, policy = await operator.get("/admin/guard")
    told: JSON = {"version": "none", "applications": [], "problem": None}
    assert policy == {"object": "admin.guard_policy", **told}
    text = {"check_type": "input", "input": "Hello?"}
    status, verdict = await operator.call("POST", "/admin/guard/test", text)
    assert (status, verdict) == (200, {"safe": True, "violations": []})
    status, refused = await operator.call("POST", "/admin/guard/test", {"input": "Hello?"})
    assert (status, refused["error"]["param"]) == (400, "check_type")
    assert (await operator.get("/admin/tool_servers"))[1] == {
        "object": "list",
        "data": [],
        "problem": None,
    }
    _, listed = await operator.get("/admin/backends")
    (found,) = listed["data"]
    assert (found["name"], found["status"], found["api"]) == ("backend", "ok", "responses")
    assert found["models"]


async def test_a_tenant_is_counted_and_then_erased_for_ever(
    api: Api, operator: Api, backend: ScriptedBackend
) -> None:
    backend.always(says("Hello."))
    ada, bob = [
        api.of({"Authorization": f"Bearer {(await key_of(operator, **who))['key']}"})
        for who in ({"tenant": "leaving"}, {"tenant": "leaving", "user": "bob"})
    ]
    conversation = (await ada.call("POST", "/conversations", {}))[1]["id"]
    said = [
        (await each.post(body))[1]["id"]
        for each, body in (
            (ada, asks("Hello?", conversation=conversation)),
            (ada, asks("Hello?")),
            (bob, asks("Hello?")),
        )
    ]
    asked = {"tenant": "leaving", "user": "ada", "dry_run": True}
    status, would = await operator.call("POST", "/admin/erasures", asked)
    assert (status, would) == (
        200,
        {
            "object": "admin.erasure.preview",
            "tenant": "leaving",
            "user": "ada",
            "turns": 2,
            "conversations": 1,
            "active_keys": 1,
            "complete": True,
        },
    )
    assert (await ada.get(f"/responses/{said[1]}"))[0] == 200

    status, begun = await operator.call("POST", "/admin/erasures", {**asked, "dry_run": False})
    assert (status, begun["status"], begun["requested_by"]) == (202, "running", "olga")
    one = f"/admin/erasures/{begun['id']}"
    ended = await operator.until(one, lambda found: found["status"] == "finished", 30)
    assert (ended["turns"], ended["conversations"]) == (2, 1)
    for gone in said[:2]:
        assert (await ada.get(f"/responses/{gone}"))[0] == 404
    assert (await bob.get(f"/responses/{said[2]}"))[0] == 200
    _, left = await operator.call("POST", "/admin/erasures", asked)
    assert (left["turns"], left["conversations"]) == (0, 0)
    _, listed = await operator.get("/admin/erasures?tenant=leaving")
    assert listed["data"] == [ended]


async def test_an_erasure_names_its_tenant_and_is_nobody_elses(api: Api, operator: Api) -> None:
    everybody = await callers(api, operator)
    for body, param in (
        ({}, "tenant"),
        ({"tenant": "a.b"}, "tenant"),
        ({"tenant": "acme", "user": ""}, "user"),
        ({"tenant": "acme", "dryrun": True}, "dryrun"),
    ):
        status, refused = await operator.call("POST", "/admin/erasures", body)
        assert (status, refused["error"]["param"]) == (400, param), refused
    theirs = {"tenant": "globex", "dry_run": True}
    status, refused = await everybody["admin"].call("POST", "/admin/erasures", theirs)
    assert (status, refused["error"]["code"]) == (403, "operator_required")
    status, refused = await everybody["user"].call("POST", "/admin/erasures", theirs)
    assert (status, refused["error"]["code"]) == (403, "admin_required")
    _, begun = await operator.call("POST", "/admin/erasures", {"tenant": "globex", "user": "x"})
    for caller, code in (("other admin", 200), ("admin", 404), ("user", 403)):
        assert (await everybody[caller].get(f"/admin/erasures/{begun['id']}"))[0] == code, caller
