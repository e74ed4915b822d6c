"""Events reach their receivers, on a real broker and over real sockets."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from turnwire_chassis.webhooks.endpoint import SigningSecret, new_secret, seal_url
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_testing.waiting import eventually
from turnwire_testing.webhook_receivers import Posted, always, receiving
from turnwire_testing.webhook_world import ACME, SECRET, WebhookWorld

OTHER = TenantId("other")
NEW_SECRET = new_secret(bytes(range(32)))


def unwrapped(posted: Posted, secret: str = SECRET) -> Any:
    client = OpenAI(api_key="none", base_url="http://127.0.0.1:1/v1", webhook_secret=secret)
    return cast("Any", client.webhooks.unwrap(posted.body, posted.headers))


async def test_an_event_is_told_as_openai_tells_it(world: WebhookWorld) -> None:
    async with receiving() as receiver, world.delivering():
        (event_id,) = await world.tell(await world.key(receiver.url))
        await receiver.has(event_id)
        await world.none_waits()
    (posted,) = receiver.posted
    event = unwrapped(posted)
    assert (event.id, event.type, event.object) == (event_id, "response.completed", "event")
    assert posted.event == {
        "object": "event",
        "id": event_id,
        "type": "response.completed",
        "created_at": 1_700_000_000,
        "data": {"id": event.data.id},
    }
    assert posted.headers["content-type"] == "application/json"


async def test_a_call_that_waits_for_a_person_is_told_too(world: WebhookWorld) -> None:
    async with receiving() as receiver, world.delivering():
        key = await world.key(receiver.url)
        (event_id,) = await world.tell(key, type="approval.requested", approval_id="mcpr_1")
        await receiver.has(event_id)
    event = unwrapped(receiver.posted[0])
    assert event.type == "approval.requested"
    assert event.data.id == "mcpr_1"


async def test_what_a_receiver_refuses_is_sent_again_with_the_same_id(world: WebhookWorld) -> None:
    refusals = 2

    async def at_last(_: Posted) -> str:
        return "503 Away" if len(receiver.posted) <= refusals else "200 OK"

    async with receiving(at_last) as receiver, world.delivering():
        (event_id,) = await world.tell(await world.key(receiver.url))
        await world.none_waits()
    assert [each.event_id for each in receiver.posted] == [event_id] * (refusals + 1)
    assert len({each.body for each in receiver.posted}) == 1
    for posted in receiver.posted:
        assert unwrapped(posted).id == event_id


async def test_a_receiver_that_was_away_gets_all_when_it_is_back(world: WebhookWorld) -> None:
    async with receiving() as receiver, world.delivering():
        key = await world.key(receiver.url)
        await receiver.stop()
        told = await world.tell(key, 20)
        await asyncio.sleep(0)
        assert receiver.posted == []
        await receiver.start()
        await receiver.has(*told)
        await world.none_waits()
    assert await world.letters() == []


async def test_a_slow_receiver_keeps_no_other_waiting(world: WebhookWorld) -> None:
    never = asyncio.Event()

    async def silent(_: Posted) -> str:
        await never.wait()
        return "200 OK"

    async with (
        receiving(silent) as slow,
        receiving() as fast,
        world.delivering(max_webhooks=8, max_webhooks_per_host=4, webhook_timeout_s=60.0),
    ):
        # Of one tenant, so that fair places alone would not help.
        await world.tell(await world.key(slow.url), 40)
        await eventually(lambda: _count(slow.posted, 4))
        told = await world.tell(await world.key(fast.url), 40)
        await fast.has(*told)
        assert len(slow.posted) == 4
        never.set()


async def test_a_tenant_with_many_slow_receivers_leaves_places_to_others(
    world: WebhookWorld,
) -> None:
    never = asyncio.Event()

    async def silent(_: Posted) -> str:
        await never.wait()
        return "200 OK"

    few: dict[str, Any] = {
        "max_webhooks": 8,
        "max_webhooks_per_tenant": 4,
        "webhook_timeout_s": 60.0,
    }
    async with (
        receiving(silent) as one,
        receiving(silent) as two,
        receiving() as fast,
        world.delivering(**few),
    ):
        for slow in (one, two):
            await world.tell(await world.key(slow.url), 20)
        await eventually(lambda: _count([*one.posted, *two.posted], 4))
        told = await world.tell(await world.key(fast.url, tenant=OTHER), 10, tenant=OTHER)
        await fast.has(*told)
        never.set()


async def test_a_secret_that_is_rotated_signs_what_waits_already(world: WebhookWorld) -> None:
    refusing = True

    async def answering(_: Posted) -> str:
        return "401 Wrong" if refusing else "200 OK"

    async with receiving(answering) as receiver, world.delivering():
        key = await world.key(receiver.url)
        (event_id,) = await world.tell(key)
        await receiver.has(event_id)
        both = SigningSecret(NEW_SECRET), SigningSecret(SECRET, until_ms=32_503_680_000_000)
        await world.key(receiver.url, *both, name=key)
        refusing = False
        await world.none_waits()
    first, last = receiver.posted[0], receiver.posted[-1]
    assert unwrapped(last, NEW_SECRET).id == unwrapped(last, SECRET).id == event_id
    assert last.headers["webhook-signature"].count("v1,") == 2
    with pytest.raises(InvalidWebhookSignatureError):
        unwrapped(first, NEW_SECRET)


async def test_a_request_has_a_url_of_its_own_and_the_secret_of_its_key(
    world: WebhookWorld,
) -> None:
    response_id = ResponseId("resp_" + "7" * 32)
    async with receiving() as of_key, receiving() as own, world.delivering():
        sealed = seal_url(world.sealer, own.url, ACME, response_id, 32_503_680_000_000)
        key = await world.key(of_key.url)
        (event_id,) = await world.tell(key, response_id=response_id, url=sealed)
        await own.has(event_id)
    assert unwrapped(own.posted[0]).data.id == response_id
    assert of_key.posted == []


async def test_a_redirect_is_not_followed(world: WebhookWorld) -> None:
    async with receiving() as inside:
        moved = always(f"307 Elsewhere\r\nlocation: {inside.url}")
        async with receiving(moved) as receiver, world.delivering(webhook_give_up_s=0.5):
            await world.tell(await world.key(receiver.url))
            await world.none_waits()
    assert inside.posted == []
    (letter,) = await world.letters()
    assert "HTTP 307" in letter.said.reason


async def test_what_nobody_takes_in_time_is_a_dead_letter(world: WebhookWorld) -> None:
    async with receiving(always("500 No")) as receiver, world.delivering(webhook_give_up_s=3.0):
        (event_id,) = await world.tell(await world.key(receiver.url))
        await world.none_waits()
    assert len(receiver.posted) >= 2
    (letter,) = await world.letters()
    assert letter.said.reason == "webhook not delivered: HTTP 500"
    assert letter.said.webhook is not None
    assert letter.said.webhook.event_id == event_id
    assert letter.tenant == ACME


async def test_a_receiver_whose_answer_has_no_end_has_taken_it(world: WebhookWorld) -> None:
    endless = always("200 OK\r\nconnection: close\r\n\r\nand so on")
    async with receiving(endless) as receiver, world.delivering(webhook_timeout_s=0.9):
        await world.tell(await world.key(receiver.url))
        await world.none_waits()
    assert await world.letters() == []


async def test_a_receiver_that_is_gone_is_left_alone(world: WebhookWorld) -> None:
    async with receiving(always("410 Gone")) as receiver, world.delivering():
        await world.tell(await world.key(receiver.url))
        await world.none_waits()
    assert len(receiver.posted) == 1
    assert len(await world.letters()) == 1


@pytest.mark.parametrize(
    "url",
    ["http://hooks.example/", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/hook",
     "https://169.254.169.254/latest/", "https://0x7f.1/", "https://hooks.example:6379/",
     "https://[::ffff:127.0.0.1]/", "https://user:pw@hooks.example/", "nonsense",
     "https://\u2603.hooks.example/"],
)  # fmt: skip
async def test_a_url_that_leads_inside_is_sent_nothing(world: WebhookWorld, url: str) -> None:
    async with receiving() as inside, world.delivering(allow_private_urls=""):
        await world.tell(await world.key(url.replace("127.0.0.1/", f"127.0.0.1:{inside.port}/")))
        await world.none_waits()
    assert inside.posted == []
    (letter,) = await world.letters()
    assert "hooks.example" not in letter.said.reason


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"]])
async def test_a_name_that_leads_inside_by_the_time_it_is_used_is_sent_nothing(
    world: WebhookWorld, addresses: Sequence[str]
) -> None:
    async def rebound(_: str) -> Sequence[str]:
        return addresses

    async with receiving() as inside, world.delivering(rebound, allow_private_urls=""):
        await world.tell(await world.key(f"https://hooks.example:{inside.port}/"))
        await world.none_waits()
    assert inside.posted == []
    (letter,) = await world.letters()
    assert "private or reserved" in letter.said.reason


async def test_a_webhook_that_was_removed_is_sent_nothing_more(world: WebhookWorld) -> None:
    async with receiving() as receiver:
        key = await world.key(receiver.url)
        await world.put(key, None, ACME)
        await world.tell(key)
        async with world.delivering():
            await world.none_waits()
    assert receiver.posted == []
    assert await world.letters() == []


async def test_the_key_of_another_tenant_signs_nothing(world: WebhookWorld) -> None:
    async with receiving() as receiver, world.delivering():
        await world.tell(await world.key(receiver.url, tenant=OTHER), tenant=ACME)
        await world.none_waits()
    assert receiver.posted == []
    assert len(await world.letters()) == 1


async def _count(posted: Sequence[Posted], number: int) -> bool:
    return len(posted) >= number
