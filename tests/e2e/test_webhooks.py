"""The end of a response is told to a webhook, signed as OpenAI's are, through the whole stack."""

from collections.abc import AsyncGenerator
from typing import Any, NamedTuple, cast

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, calls, fails, says
from turnwire_testing.webhook_receivers import Posted, WebhookReceiver, always, receiving

WORD = "rhubarb"
"""What the model says, and no webhook."""


class Caller(NamedTuple):
    """A user whose key has a webhook, and who set it."""

    api: Api
    admin: Api
    key_id: str
    secret: str


@pytest.fixture
async def receiver() -> AsyncGenerator[WebhookReceiver]:
    """A receiver that takes everything."""
    async with receiving() as taking:
        yield taking


@pytest.fixture
async def caller(api: Api, receiver: WebhookReceiver) -> Caller:
    """A user of the tenant, whose key tells the receiver."""
    return await with_webhook(api, receiver.url)


async def with_webhook(admin: Api, url: str, **fields: Any) -> Caller:
    """Make a key with a webhook."""
    _, key = await admin.call("POST", "/admin/keys", {"user": "ada", "role": "user"})
    status, made = await admin.call(
        "PUT", f"/admin/keys/{key['id']}/webhook", {"url": url, **fields}
    )
    assert (status, made["secret"][:6]) == (200, "whsec_"), made
    theirs = admin.of({"Authorization": f"Bearer {key['key']}"})
    return Caller(theirs, admin, key["id"], made["secret"])


def unwrapped(posted: Posted, secret: str) -> Any:
    """Read an attempt as OpenAI's library does, which checks the signature."""
    client = OpenAI(api_key="none", base_url="http://127.0.0.1:1/v1", webhook_secret=secret)
    return cast("Any", client.webhooks.unwrap(posted.body, posted.headers))


async def told(receiver: WebhookReceiver, caller: Caller, response_id: str) -> JSON:
    """Wait until a response was told; gives its type, which the signature vouches for."""
    posted = await receiver.first(lambda each: each.event["data"]["id"] == response_id)
    return unwrapped(posted, caller.secret).type


ENDS = {
    "response.completed": says(WORD),
    "response.incomplete": says(WORD).incomplete(),
    "response.failed": fails(404, "no such model", error={"code": "model_not_found"}),
}


@pytest.mark.parametrize("kind", ENDS)
async def test_a_background_response_is_told_by_its_end(
    caller: Caller, backend: ScriptedBackend, receiver: WebhookReceiver, kind: str
) -> None:
    backend.script(ENDS[kind])
    metadata = {"order": "4711"}
    _, begun = await caller.api.post(asks("Hello?", background=True, metadata=metadata))
    assert await told(receiver, caller, begun["id"]) == kind
    ended = await caller.api.ended(begun["id"])
    assert (kind, ended["metadata"]) == (f"response.{ended['status']}", metadata)
    assert WORD.encode() not in b"".join(each.body for each in receiver.posted)


async def test_a_response_that_is_cancelled_is_told(
    caller: Caller, backend: ScriptedBackend, receiver: WebhookReceiver
) -> None:
    backend.script(says("One.", "Two.").paused(after=1))
    _, begun = await caller.api.post(asks("Hello?", background=True))
    await backend.saw_pause()
    assert (await caller.api.call("POST", f"/responses/{begun['id']}/cancel"))[0] == 200
    assert await told(receiver, caller, begun["id"]) == "response.cancelled"


async def test_a_call_that_waits_for_a_person_is_told_and_decided_by_its_id(
    caller: Caller, backend: ScriptedBackend, receiver: WebhookReceiver, desk: Desk
) -> None:
    backend.script(calls("note", {"text": WORD}))
    _, response = await caller.api.post(
        asks("Note it.", tools=[desk.tool(require_approval="always")])
    )
    posted = await receiver.first(lambda each: each.event["type"] == "approval.requested")
    event = unwrapped(posted, caller.secret)
    assert posted.event["data"] == {
        "id": response["output"][1]["id"],
        "response_id": response["id"],
    }
    backend.script(says("Then not."))
    _, decided = await caller.api.call("POST", f"/approvals/{event.data.id}", {"approve": False})
    assert decided["status"] == "completed", decided
    assert WORD.encode() not in posted.body


@pytest.mark.parametrize("way", [{}, {"stream": True}, {"store": False}])
async def test_a_request_that_names_a_webhook_is_told_of_however_it_runs(
    caller: Caller, backend: ScriptedBackend, receiver: WebhookReceiver, way: JSON
) -> None:
    backend.script(says(WORD))
    body = asks("Hello?", webhook={}, **way)
    if "stream" in way:
        async with caller.api.stream(body) as stream:
            response = (await stream.to_the_end())[-1]["response"]
    else:
        _, response = await caller.api.post(body)
    assert await told(receiver, caller, response["id"]) == "response.completed"
    assert "webhook" not in response


async def test_nothing_of_an_unstored_response_is_left_where_its_webhook_waits(
    caller: Caller, api: Api, backend: ScriptedBackend, stack: Stack
) -> None:
    word = "unsaidrhubarb"
    async with receiving(always("503 Away")) as away:
        await api.call("PUT", f"/admin/keys/{caller.key_id}/webhook", {"url": away.url})
        backend.script(says(word))
        _, response = await caller.api.post(asks(word, webhook={}, store=False))
        await away.first(lambda each: each.event["data"]["id"] == response["id"])
    await caller.api.call("DELETE", f"/admin/keys/{caller.key_id}/webhook")
    assert [each for each in stack.files_with(word) if "logs" not in each.parts] == []


async def test_a_request_has_a_url_of_its_own_which_stands_nowhere_in_the_clear(
    caller: Caller, backend: ScriptedBackend, stack: Stack, receiver: WebhookReceiver
) -> None:
    async with receiving() as own:
        backend.script(says("Hello."))
        url = own.url + "/hiddenpath"
        _, begun = await caller.api.post(asks("Hello?", background=True, webhook={"url": url}))
        assert await told(own, caller, begun["id"]) == "response.completed"
        _, events = await caller.api.get(f"/responses/{begun['id']}/events")
    assert own.posted[0].path == "/hook/hiddenpath"
    assert receiver.posted == []
    assert "webhook" not in str(events)
    for secret in ("hiddenpath", caller.secret, caller.secret.removeprefix("whsec_")):
        assert stack.files_with(secret) == []


async def test_a_caller_without_a_webhook_can_name_none(api: Api) -> None:
    _, key = await api.call("POST", "/admin/keys", {"user": "eve", "role": "user"})
    eve = api.of({"Authorization": f"Bearer {key['key']}"})
    for webhook in ({}, {"url": "https://hooks.example/"}):
        status, refused = await eve.post(asks("Hello?", webhook=webhook))
        assert (status, refused["error"]["code"]) == (400, "webhook_secret_missing")


@pytest.mark.parametrize(
    ("webhook", "param"),
    [
        ({"uri": "https://hooks.example/"}, "webhook.uri"),
        ({"url": ""}, "webhook.url"),
        ({"url": "ftp://hooks.example/"}, "webhook.url"),
        ({"url": "https://hooks.example/#a"}, "webhook.url"),
        ({"url": "https://ada:secret@hooks.example/"}, "webhook.url"),
        ("https://hooks.example/", "webhook"),
    ],
)
async def test_a_webhook_that_cannot_be_is_refused_by_its_field(
    caller: Caller, webhook: Any, param: str
) -> None:
    status, refused = await caller.api.post(asks("Hello?", webhook=webhook))
    assert (status, refused["error"]["param"]) == (400, param), refused


async def test_a_webhook_is_read_changed_rotated_and_removed(
    caller: Caller, backend: ScriptedBackend, receiver: WebhookReceiver
) -> None:
    path = f"/admin/keys/{caller.key_id}/webhook"
    _, shown = await caller.admin.get(path)
    assert shown["receiver"] == receiver.url.removesuffix("/hook")
    assert caller.secret.rstrip("=").endswith(shown["secret_ending"])
    assert caller.secret not in str(shown)
    assert len(shown["events"]) == 5

    only = {"url": receiver.url, "events": ["response.completed"]}
    _, changed = await caller.admin.call("PUT", path, only)
    assert (changed["events"], changed["secret"]) == (["response.completed"], None)
    keep = {"keep_old_secret_active_for_24_hours": True}
    _, rotated = await caller.admin.call("POST", f"{path}/rotate_secret", keep)
    assert rotated["old_secret_until"] is not None
    backend.script(says("Hello."))
    _, response = await caller.api.post(asks("Hello?", webhook={}))
    posted = await receiver.first(lambda each: each.event["data"]["id"] == response["id"])
    for secret in (caller.secret, rotated["secret"]):
        assert unwrapped(posted, secret).type == "response.completed"
    _, again = await caller.admin.call("POST", f"{path}/rotate_secret")
    assert again["old_secret_until"] is None
    with pytest.raises(InvalidWebhookSignatureError):
        unwrapped(posted, again["secret"])

    for _ in range(2):
        status, removed = await caller.admin.call("DELETE", path)
        assert (status, removed["deleted"]) == (200, True)
    for method, route in (("GET", path), ("POST", f"{path}/rotate_secret")):
        status, refused = await caller.admin.call(method, route)
        assert (status, refused["error"]["code"]) == (404, "webhook_not_found")
    _, acts = await caller.admin.get("/admin/audit?type=key_webhook_changed&limit=100")
    mine = [each for each in acts["data"] if each["data"]["key_id"] == caller.key_id]
    changes = [each["data"]["change"] for each in reversed(mine)]
    assert changes == ["set", "set", "secret_rotated", "secret_rotated", "removed"]


async def test_a_revoked_key_takes_no_webhook_and_lets_go_of_one(caller: Caller) -> None:
    path = f"/admin/keys/{caller.key_id}/webhook"
    assert (await caller.admin.call("DELETE", f"/admin/keys/{caller.key_id}"))[0] == 200
    body = {"url": "https://hooks.example/"}
    for method, route in (("PUT", path), ("POST", f"{path}/rotate_secret")):
        status, refused = await caller.admin.call(method, route, body if method == "PUT" else None)
        assert (status, refused["error"]["code"]) == (404, "api_key_not_found")
    assert (await caller.admin.get(path))[0] == 200
    assert (await caller.admin.call("DELETE", path))[0] == 200
    assert (await caller.admin.get(path))[0] == 404


async def test_a_user_sees_and_changes_no_webhook(caller: Caller) -> None:
    path = f"/admin/keys/{caller.key_id}/webhook"
    body = {"url": "https://hooks.example/"}
    for method, route, given in (
        ("GET", path, None),
        ("PUT", path, body),
        ("DELETE", path, None),
        ("POST", f"{path}/rotate_secret", None),
    ):
        status, refused = await caller.api.call(method, route, given)
        assert (status, refused["error"]["code"]) == (403, "admin_required"), route


async def test_what_no_receiver_takes_is_a_dead_letter_and_is_sent_again_by_its_number(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    operator = api.of(
        {"Authorization": f"Bearer {stack.new_key('--user', 'olga', '--role', 'operator')}"}
    )
    async with receiving(always("410 Gone")) as receiver:
        caller = await with_webhook(api, receiver.url)
        backend.script(says("Hello."))
        _, response = await caller.api.post(asks("Hello?", webhook={}))
        await receiver.first(lambda each: each.event["data"]["id"] == response["id"])

        def mine(listed: JSON) -> list[JSON]:
            return [each for each in listed.get("data", []) if each["about"] == response["id"]]

        listed = await operator.until(
            "/admin/system/dead?limit=100", lambda found: bool(mine(found)), 20
        )
        (letter,) = mine(listed)
        assert "HTTP 410" in letter["reason"]
        async with receiving() as back:
            await api.call("PUT", f"/admin/keys/{caller.key_id}/webhook", {"url": back.url})
            retry = f"/admin/system/dead/{letter['number']}/retry"
            status, retried = await operator.call("POST", retry)
            assert (status, retried["result"]) == (200, "sent_again")
            assert await told(back, caller, response["id"]) == "response.completed"
    assert back.posted[0].event_id == receiver.posted[0].event_id
