"""`/v1/responses/{response_id}/events`: pages of a turn's events, and the same as they come."""

import asyncio
from typing import Any, get_args

import msgspec
import orjson
import pytest
from msgspec.structs import replace

from turnwire_chassis.event_log import LogUnavailableError, Recorded
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import AnyEvent, TurnEvent
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.inspecting import turn_events, turn_log
from turnwire_gateway.api.inspecting.turn_events import event_object
from turnwire_gateway.app import build
from turnwire_testing.examples import AT, requested, user
from turnwire_testing.gateway import Api, error_of


def events_of(response: JSON, query: str = "") -> str:
    """Give the route of a response's events."""
    return f"/v1/responses/{response['id']}/events{query}"


def live(body: bytes) -> list[JSON]:
    """Read the events of a live stream, which must have ended."""
    *frames, done, nothing = body.split(b"\n\n")
    assert (done, nothing) == (b"data: [DONE]", b"")
    events: list[JSON] = []
    for frame in frames:
        head, kind, data = frame.split(b"\n")
        event = orjson.loads(data.removeprefix(b"data: "))
        assert head == b"id: %d" % event["sequence"]
        assert kind == b"event: " + event["type"].encode()
        events.append(event)
    return events


async def test_events_stand_in_the_order_of_the_log_with_all_that_they_say(api: Api) -> None:
    response = (await api.create(input="Hello?", metadata={"topic": "x"})).json
    page = (await api.get(events_of(response))).json
    first, last = page["data"]
    assert (first["object"], first["type"], last["type"]) == (
        "response.event",
        "requested",
        "closed",
    )
    assert first["data"]["input"][0]["content"] == "Hello?"
    assert first["data"]["params"]["metadata"] == {"topic": "x"}
    assert last["data"]["status"] == "completed"
    assert first["created_at"] == AT / 1000
    assert page == {
        "object": "list",
        "data": [first, last],
        "last_sequence": last["sequence"],
        "has_more": False,
    }


async def test_pages_follow_one_another(api: Api) -> None:
    response = (await api.create(input="Hello?")).json
    await api.call("DELETE", f"/v1/responses/{response['id']}")
    await api.call("PATCH", f"/v1/responses/{response['id']}?recovery_from_delete=true")
    kinds: list[str] = []
    after, more = 0, True
    while more:
        page = (await api.get(events_of(response, f"?limit=1&after={after}"))).json
        kinds += [each["type"] for each in page["data"]]
        after, more = page["last_sequence"], page["has_more"]
    assert kinds == ["requested", "closed", "deleted", "restored"]
    empty = (await api.get(events_of(response, f"?after={after}"))).json
    assert (empty["data"], empty["last_sequence"], empty["has_more"]) == ([], after, False)


def test_what_is_secret_is_not_shown() -> None:
    event = requested(
        input=[user("Hi.")], seals={"s": "sealed"}, fingerprint="hash", metered=["key:key_1"]
    )
    written = event_object(Recorded(7, event))
    assert set(written["data"]) == {"owner", "model", "input"}
    assert not any(word in str(written) for word in ("sealed", "hash", "key_1"))


SECRET = {"seals", "fingerprint", "metered", "webhook"}


def test_of_each_field_of_an_event_it_is_decided_whether_it_is_shown() -> None:
    """A new field stands in `SHOWN`, or here among what is secret."""
    heading = {field.name for field in msgspec.structs.fields(TurnEvent)}
    fields = {field.name for event in get_args(AnyEvent) for field in msgspec.structs.fields(event)}
    assert fields - heading == turn_log.SHOWN | SECRET
    assert not turn_log.SHOWN & SECRET


def from_the_second_read(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let the log be read once more, and then fail."""
    read, reads = api.log.read, iter([True])

    async def fail(tenant: TenantId, response_id: ResponseId, after: int = 0) -> list[Recorded]:
        if next(reads, False):
            return await read(tenant, response_id, after)
        raise error

    monkeypatch.setattr(api.log, "read", fail)


def end_of(body: bytes) -> JSON:
    """Read the `error` event that ends a live stream."""
    error, done, nothing = body.split(b"\n\n")[-3:]
    assert (done, nothing) == (b"data: [DONE]", b"")
    head, data = error.split(b"\n")
    assert head == b"event: error"
    return orjson.loads(data.removeprefix(b"data: "))


async def test_a_live_stream_ends_at_an_event_that_cannot_be_read(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.log.busy = True
    promised = (await api.create(background=True)).json
    from_the_second_read(api, monkeypatch, UnreadableEventError("newer"))
    async with asyncio.timeout(10):
        body = (await api.get(events_of(promised, "?stream=true"))).body
    assert b"event: requested" in body
    assert end_of(body)["code"] == "stream_interrupted"


async def test_a_live_stream_ends_at_an_event_that_cannot_follow(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_events, "_LOOK_AGAIN_S", 0.01)
    api.log.busy = True
    promised = (await api.create(background=True)).json
    (request,) = api.log.requests
    read, reads = api.log.read, iter([True, True])

    async def twice(*about: Any) -> list[Recorded]:
        if next(reads, False):
            return await read(*about)
        return [Recorded(1000, replace(request, model="another"))]

    monkeypatch.setattr(api.log, "read", twice)
    async with asyncio.timeout(10):
        body = (await api.get(events_of(promised, "?stream=true"))).body
    assert b"event: requested" in body
    assert end_of(body)["code"] == "stream_interrupted"


@pytest.mark.parametrize("away", [True, False])
async def test_a_turn_that_nothing_drives_is_not_followed_for_ever(
    api: Api, monkeypatch: pytest.MonkeyPatch, *, away: bool
) -> None:
    monkeypatch.setattr(turn_events, "_LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(turn_events, "_OVERTIME_S", -3599.8)
    monkeypatch.setattr(api, "app", build(api.world))
    api.log.busy = True
    promised = (await api.create(background=True)).json
    if away:
        from_the_second_read(api, monkeypatch, LogUnavailableError("away"))
    async with asyncio.timeout(10):
        body = (await api.get(events_of(promised, "?stream=true"))).body
    assert "has not ended in time" in end_of(body)["message"]


async def test_a_list_with_an_event_that_cannot_be_read_is_a_fault(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = (await api.create(input="Hello?")).json

    async def read(*_: object) -> list[Recorded]:
        raise UnreadableEventError("newer")

    monkeypatch.setattr(api.log, "read", read)
    assert error_of(await api.get(events_of(response))) == (500, "internal_error")


async def test_a_running_turn_is_followed_to_its_end(api: Api) -> None:
    api.log.busy = True
    promised = (await api.create(background=True)).json
    following = asyncio.create_task(api.get(events_of(promised, "?stream=true")))
    (request,) = api.log.requests
    await api.log.start(request)
    await api.log.finish(request)
    answer = await following
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = live(answer.body)
    assert [each["type"] for each in events] == ["requested", "started", "closed"]
    # One that was cut off goes on behind what it has.
    rest = await api.get(events_of(promised, f"?stream=true&after={events[0]['sequence']}"))
    assert live(rest.body) == events[1:]
    assert (await api.get(events_of(promised))).json["data"] == events


async def test_a_gateway_that_stops_ends_its_live_streams(api: Api) -> None:
    api.log.busy = True
    promised = (await api.create(background=True)).json
    api.world.turns.hand_over()
    body = (await api.get(events_of(promised, "?stream=true"))).body
    assert b"event: requested" in body
    assert b"event: error" in body
    assert b'"code":"gateway_stopping"' in body
    assert b"[DONE]" not in body


@pytest.mark.parametrize(
    ("query", "param"),
    [("?after=-1", "after"), ("?after=x", "after"), ("?limit=0", "limit"), ("?stream=x", "stream")],
)
async def test_a_wrong_value_is_named(api: Api, query: str, param: str) -> None:
    response = (await api.create(input="Hello?")).json
    refused = await api.get(events_of(response, query))
    assert error_of(refused) == (400, "invalid_value")
    assert refused.json["error"]["param"] == param


async def test_what_is_deleted_or_was_never_is_not_found(api: Api) -> None:
    response = (await api.create(input="Hello?")).json
    await api.call("DELETE", f"/v1/responses/{response['id']}")
    assert error_of(await api.get(events_of(response))) == (404, "response_not_found")
    shown = (await api.get(events_of(response, "?include_deleted=true"))).json
    assert shown["data"][-1]["type"] == "deleted"
    never = await api.get(events_of({"id": "resp_019a0000000000000000000000000999"}))
    assert error_of(never) == (404, "response_not_found")
