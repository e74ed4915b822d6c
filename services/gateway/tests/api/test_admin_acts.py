"""What only admins may do is noted before it is done, or not done."""

import pytest
from nats.aio.client import Client

from turnwire_contracts.audit.acts import Actor, AdminActed
from turnwire_contracts.ids import TenantId
from turnwire_testing.gateway import Api, error_of

ADMIN = "Bearer acme/ann/admin"
USER = "Bearer acme/bob"


@pytest.fixture
async def api(client: Client) -> Api:
    return await Api(client).with_store()


def acts(api: Api) -> list[tuple[str, str]]:
    """What was noted: the act, and what it was about."""
    noted = [event for event in api.audit.events if isinstance(event, AdminActed)]
    assert len(noted) == len(api.audit.events)
    return [(event.act, event.about) for event in noted]


async def test_an_act_says_who_did_what_to_which_id_and_when(api: Api) -> None:
    said = await api.say("secret words")
    await api.get(f"/v1/responses/{said['id']}?include_deleted=true", **{"x-request-id": "req-1"})
    assert api.audit.events == [
        AdminActed(
            tenant=TenantId("local"),
            at=api.now,
            by=Actor("local", None, "req-1"),
            act="see_deleted",
            about=said["id"],
        )
    ]


async def test_deleting_for_ever_and_restoring_are_noted(api: Api) -> None:
    said = await api.say("Hello?")
    one = f"/v1/responses/{said['id']}"
    await api.call("DELETE", one)
    await api.call("PATCH", f"{one}?recovery_from_delete=true")
    await api.call("DELETE", f"{one}?hard_delete=true")
    assert acts(api) == [("restore", said["id"]), ("purge", said["id"])]


async def test_an_admin_who_meets_anothers_conversation_is_noted(api: Api) -> None:
    begun = await api.call("POST", "/v1/conversations", {}, authorization=USER)
    one = f"/v1/conversations/{begun.json['id']}"
    assert (await api.get(one, authorization=ADMIN)).status == 200
    await api.call("POST", one, {"metadata": {"a": "b"}}, authorization=ADMIN)
    assert acts(api) == [
        ("see_others", begun.json["id"]),
        ("change_others", begun.json["id"]),
    ]


@pytest.mark.parametrize(
    "route",
    ["", "?stream=true", "/input_items", "/events", "/events?stream=true", "/state", "/timeline"],
)
async def test_an_admin_who_reads_anothers_response_is_noted_or_reads_nothing(
    api: Api, route: str
) -> None:
    body = {"model": "m", "input": "Hello?"}
    said = (await api.call("POST", "/v1/responses", body, authorization=USER)).json["id"]
    one = f"/v1/responses/{said}{route}"
    assert (await api.get(one, authorization=ADMIN)).status == 200
    assert (await api.get(one, authorization=USER)).status == 200
    assert acts(api) == [("see_others", said)]
    api.audit.refuses = True
    assert error_of(await api.get(one, authorization=ADMIN)) == (503, "audit_log_unavailable")


async def test_what_users_do_with_their_own_is_nobodys_business(api: Api) -> None:
    begun = await api.call("POST", "/v1/conversations", {}, authorization=USER)
    one = f"/v1/conversations/{begun.json['id']}"
    for method in ("GET", "DELETE"):
        assert (await api.call(method, one, authorization=USER)).status == 200
    assert acts(api) == []


async def test_words_in_a_path_are_not_noted(api: Api) -> None:
    await api.call("DELETE", "/v1/responses/my-secret?hard_delete=true")
    assert acts(api) == [("purge", "unknown")]


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "include_deleted=true"),
        ("DELETE", "hard_delete=true"),
        ("PATCH", "recovery_from_delete=true"),
    ],
)
async def test_an_act_that_cannot_be_noted_is_not_done(api: Api, method: str, query: str) -> None:
    said = await api.say("Hello?")
    api.audit.refuses = True
    refused = await api.call(method, f"/v1/responses/{said['id']}?{query}")
    assert error_of(refused) == (503, "audit_log_unavailable")
    assert (await api.get(f"/v1/responses/{said['id']}")).status == 200


async def test_whoever_is_no_admin_is_refused_and_not_noted(api: Api) -> None:
    refused = await api.get("/v1/responses/resp_x?include_deleted=true", authorization=USER)
    assert error_of(refused) == (403, "admin_required")
    assert api.audit.events == []
