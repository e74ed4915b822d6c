"""`/v1/responses/{response_id}/state`: the fold of a turn's events, at any of them."""

import pytest

from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_testing.examples import message, requested, taken_over
from turnwire_testing.gateway import Api, error_of

LOCAL = TenantId("local")


async def state(api: Api, response_id: str, query: str = "") -> JSON:
    return (await api.get(f"/v1/responses/{response_id}/state{query}")).json


async def test_a_state_is_told_at_each_event(api: Api) -> None:
    said = (await api.create(input="Hello?", metadata={"topic": "x"}, background=True)).json
    page = (await api.get(f"/v1/responses/{said['id']}/events")).json
    first, last = page["data"][0]["sequence"], page["last_sequence"]
    begun = await state(api, said["id"], f"?at={first}")
    assert (begun["object"], begun["response_id"]) == ("response.state", said["id"])
    assert (begun["sequence"], begun["events"], begun["state"]) == (first, 1, "sampling")
    assert begun["next"] == "dequeue"
    assert begun["data"]["request"]["params"]["metadata"] == {"topic": "x"}
    ended = await state(api, said["id"])
    assert (ended["sequence"], ended["state"], ended["next"]) == (last, "closed", None)
    assert ended["summary"].startswith("Closed: completed")
    assert ended == await state(api, said["id"], f"?at={last}")
    assert ended == await state(api, said["id"], f"?at={last + 1000}")


async def test_before_the_first_event_there_is_no_turn(api: Api) -> None:
    said = (await api.create(input="Hello?")).json
    before = await state(api, said["id"], "?at=0")
    assert (before["sequence"], before["events"]) == (0, 0)
    assert (before["state"], before["next"], before["data"]) == ("not_requested", None, {})


async def test_what_a_lost_owner_left_is_in_the_state_and_nothing_secret_is(api: Api) -> None:
    api.log.busy = True
    response_id = ResponseId((await api.create(background=True)).json["id"])
    about = {"tenant": LOCAL, "response_id": response_id}
    await api.log.append(taken_over(**about, abandoned=[message("Hel")]), None)
    written = await state(api, response_id)
    assert written["summary"] == "Sampling, 1 abandoned items, queued in the background"
    assert written["data"]["told"]["items"][0]["content"][0]["text"] == "Hel"


async def test_nothing_secret_is_in_a_state(api: Api) -> None:
    event = requested(
        tenant=LOCAL,
        owner="local",
        seals={"s": "sealed"},
        fingerprint="hash",
        metered=["key:key_1"],
    )
    await api.log.append(event, None)
    exchange = await api.get(f"/v1/responses/{event.response_id}/state")
    assert exchange.status == 200
    assert not any(word in exchange.body for word in (b"sealed", b"hash", b"key_1"))


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "99999999999999999999"])
async def test_a_place_that_cannot_be_is_refused_by_name(api: Api, value: str) -> None:
    said = (await api.create(input="Hello?")).json
    exchange = await api.get(f"/v1/responses/{said['id']}/state?at={value}")
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "at"


async def test_what_is_not_there_has_no_state(api: Api) -> None:
    for response_id in ("resp_1", f"resp_{'0' * 32}"):
        exchange = await api.get(f"/v1/responses/{response_id}/state")
        assert error_of(exchange) == (404, "response_not_found")
    unstored = (await api.create(input="Hello?", store=False)).json
    exchange = await api.get(f"/v1/responses/{unstored['id']}/state")
    assert error_of(exchange) == (404, "response_not_found")
