"""`/v1/responses`: background, cancel, delete and restore, input items, idempotency."""

import asyncio
from typing import Any

import orjson
import pytest
from openai.types.responses import Response

from turnwire_contracts.events import CancelRequested, Failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn_state import ClosedTurn, Erased
from turnwire_contracts.wire.frames import DONE
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.api.requests.prompts import PromptTemplate, Template
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.examples import user
from turnwire_testing.gateway import Api, error_of
from turnwire_testing.waiting import eventually


def one(response: JSON, query: str = "") -> str:
    """Give the route of a response."""
    return f"/v1/responses/{response['id']}{query}"


async def queued(api: Api, **fields: Any) -> JSON:
    """Ask for a background response that no orchestrator takes yet."""
    api.log.busy = True
    exchange = await api.create(background=True, **fields)
    assert exchange.status == 202
    return exchange.json


async def test_a_background_response_is_promised_at_once_and_fetched_later(api: Api) -> None:
    promised = await queued(api)
    Response.model_validate(promised)
    assert (promised["status"], promised["background"]) == ("queued", True)
    assert (await api.get(one(promised))).json == promised
    (request,) = api.log.requests
    await api.log.start(request)
    assert (await api.get(one(promised))).json["status"] == "in_progress"
    await api.log.finish(request)
    assert (await api.get(one(promised))).json["status"] == "completed"


async def test_a_background_response_can_be_streamed_from_its_request(api: Api) -> None:
    exchange = await api.create(background=True, stream=True)
    turn = api.turn(api.log.requests[0].response_id)
    assert exchange.status == 200
    assert exchange.body == b"".join(stream_of(turn)) + DONE


async def test_a_background_response_must_be_stored(api: Api) -> None:
    exchange = await api.create(background=True, store=False)
    assert error_of(exchange) == (400, "unsupported_parameter")


async def test_a_reader_of_a_background_stream_may_leave(api: Api) -> None:
    promised = await queued(api)
    exchange = Exchange()
    reading = asyncio.create_task(call(api.app, "GET", one(promised, "?stream=true"), exchange))  # pyright: ignore[reportArgumentType]
    await asyncio.wait({reading}, timeout=0.1)
    exchange.gone.set()
    async with asyncio.timeout(30):
        await reading
    assert (await api.get(one(promised))).json["status"] == "queued"


@pytest.mark.parametrize("taken", [False, True], ids=["queued", "running"])
async def test_cancelling_ends_a_background_response_and_may_be_repeated(
    api: Api, *, taken: bool
) -> None:
    promised = await queued(api)
    (request,) = api.log.requests
    if taken:
        await api.log.start(request)
    cancelling = asyncio.create_task(api.call("POST", one(promised, "/cancel")))

    async def is_asked() -> bool:
        recorded = await api.log.read(request.tenant, request.response_id)
        return any(isinstance(each.event, CancelRequested) for each in recorded)

    if taken:
        await eventually(is_asked)
        await api.log.finish(request, status="cancelled", output=[])
    first = await cancelling
    assert (first.status, first.json["status"]) == (200, "cancelled")
    again = await api.call("POST", one(promised, "/cancel"))
    assert (again.status, again.body) == (200, first.body)
    assert (await api.get(one(promised))).body == first.body


@pytest.mark.parametrize("status", ["completed", "failed", "incomplete"])
async def test_what_has_ended_otherwise_cannot_be_cancelled(api: Api, status: str) -> None:
    promised = await queued(api)
    await api.log.finish(api.log.requests[0], status=status)
    exchange = await api.call("POST", one(promised, "/cancel"))
    assert error_of(exchange) == (400, "response_not_cancellable")
    assert exchange.json["error"]["message"] == f"Cannot cancel a {status} response."


async def test_a_foreground_response_cannot_be_cancelled(api: Api) -> None:
    exchange = await api.call("POST", one(await api.say("Hello?"), "/cancel"))
    assert error_of(exchange) == (400, "response_not_cancellable")
    assert exchange.json["error"]["message"] == "Cannot cancel a synchronous response."


async def test_a_deleted_response_is_gone_and_an_admin_can_bring_it_back(api: Api) -> None:
    response = await api.say("Hello?")
    gone = {"id": response["id"], "object": "response", "deleted": True}
    for _ in range(2):
        deleted = await api.call("DELETE", one(response))
        assert (deleted.status, deleted.json) == (200, gone)
    assert error_of(await api.get(one(response))) == (404, "response_not_found")
    shown = await api.get(one(response, "?include_deleted=true"))
    assert shown.json == {**response, "deleted": True}
    for _ in range(2):
        back = await api.call("PATCH", one(response, "?recovery_from_delete=true"))
        assert (back.status, back.json) == (200, response)
    assert (await api.get(one(response))).json == response
    assert [type(each.event).__name__ for each in await read(api, response)] == [
        "Requested",
        "Closed",
        "Deleted",
        "Restored",
    ]


async def read(api: Api, response: JSON) -> list[Any]:
    """Give what the log holds of a turn."""
    return [*await api.log.read(LOCAL.tenant, response["id"])]


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_a_response_that_is_deleted_for_ever_does_not_come_back(
    api: Api, *, deleted_before: bool
) -> None:
    response = await api.say("Hello?")
    if deleted_before:
        await api.call("DELETE", one(response))
    for _ in range(2):
        assert (await api.call("DELETE", one(response, "?hard_delete=true"))).status == 200
    assert isinstance(api.log.turn(LOCAL.tenant, response["id"]), Erased)
    back = await api.call("PATCH", one(response, "?recovery_from_delete=true"))
    assert error_of(back) == (404, "response_not_found")


async def test_a_response_that_runs_cannot_be_deleted(api: Api) -> None:
    promised = await queued(api)
    for query in ("", "?hard_delete=true"):
        exchange = await api.call("DELETE", one(promised, query))
        assert error_of(exchange) == (425, "response_in_progress")


async def test_a_change_that_says_nothing_is_refused(api: Api) -> None:
    response = await api.say("Hello?")
    exchange = await api.call("PATCH", one(response))
    assert error_of(exchange) == (400, "missing_required_parameter")


async def test_words_put_into_a_conversation_are_no_response(api: Api) -> None:
    conversation = await api.converse(items=[{"role": "user", "content": "Remember."}])
    words = {"id": api.last_of(conversation)}
    assert error_of(await api.get(one(words))) == (404, "response_not_found")
    assert (await api.call("DELETE", one(words))).status == 200
    assert not api.turn(words["id"] or "").deleted


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_input_items_are_listed_page_by_page(api: Api, order: str) -> None:
    texts = [str(number) for number in range(5)]
    response = (await api.create(input=[user(text) for text in texts])).json
    seen: list[str] = []
    page: JSON = {"has_more": True, "last_id": ""}
    while page["has_more"]:
        after = f"&after={page['last_id']}" if page["last_id"] else ""
        target = one(response, f"/input_items?limit=2&order={order}{after}")
        page = (await api.get(target)).json
        seen += [item["content"][0]["text"] for item in page["data"]]
    assert seen == (texts if order == "asc" else texts[::-1])


async def test_a_reference_is_listed_as_the_item_it_stands_for(api: Api) -> None:
    first = await api.say("Hello?")
    said = first["output"][0]
    second = (await api.create(input=[{"type": "item_reference", "id": said["id"]}])).json
    listed = (await api.get(one(second, "/input_items"))).json
    assert listed["data"] == [said]


async def test_a_template_says_instructions_and_model(client: Any) -> None:
    prompts = {"p": PromptTemplate("1", {"1": Template("You are {{ name }}.", "small")})}
    api = Api(client, prompts=prompts)
    body = {"prompt": {"id": "p", "variables": {"name": "Ann"}}, "input": "Who?"}
    response = (await api.post(orjson.dumps(body))).json
    assert (response["model"], response["prompt"]) == ("small", body["prompt"])
    assert api.log.requests[0].instructions == "You are Ann."


@pytest.mark.parametrize(
    "fields", [{}, {"stream": True}, {"background": True}, {"background": True, "stream": True}]
)
async def test_the_same_key_and_body_are_the_same_turn(api: Api, fields: JSON) -> None:
    body = {"model": "m", "input": "Hello?", **fields}
    key = {"idempotency-key": "k"}
    first, second = [
        await api.call("POST", "/v1/responses", body, **key, **{"x-request-id": name})
        for name in ("a", "b")
    ]
    assert len(api.log.requests) == 1
    if first.status == 202:
        # The turn has ended meanwhile.
        assert (second.status, second.json["status"]) == (200, "completed")
        assert second.json["id"] == first.json["id"]
    else:
        assert (second.status, second.body) == (200, first.body)


async def test_two_that_come_at_once_with_one_key_are_one_turn(api: Api) -> None:
    conversation = await api.converse()
    body = {"model": "m", "input": "Hello?", "conversation": conversation}
    answers = await asyncio.gather(
        *[api.call("POST", "/v1/responses", body, **{"idempotency-key": "k"}) for _ in range(3)]
    )
    assert [each.status for each in answers] == [200] * 3
    assert len({each.body for each in answers}) == 1
    assert len(api.log.requests) == 1


async def test_a_key_with_another_body_is_refused(api: Api) -> None:
    key = {"idempotency-key": "k"}
    await api.call("POST", "/v1/responses", {"model": "m", "input": "a"}, **key)
    exchange = await api.call("POST", "/v1/responses", {"model": "m", "input": "b"}, **key)
    assert error_of(exchange) == (409, "idempotency_key_reused")
    assert len(api.log.requests) == 1


@pytest.mark.parametrize("store", [True, False], ids=["deleted", "not stored"])
async def test_a_key_whose_answer_is_gone_begins_nothing_new(api: Api, *, store: bool) -> None:
    key = {"idempotency-key": "k"}
    body = {"model": "m", "input": "a", "store": store}
    first = await api.call("POST", "/v1/responses", body, **key)
    await api.call("DELETE", one(first.json))
    exchange = await api.call("POST", "/v1/responses", body, **key)
    assert error_of(exchange) == (409, "idempotency_key_spent")
    assert len(api.log.requests) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(api: Api, key: str) -> None:
    exchange = await api.post(b'{"model":"m","input":"a"}', **{"idempotency-key": key})
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "Idempotency-Key"


async def test_a_client_with_a_key_that_leaves_may_come_back_to_its_turn(api: Api) -> None:
    api.log.busy = True
    body = b'{"model":"m","input":"a"}'
    first, second = (Exchange(body, {"idempotency-key": "k"}) for _ in range(2))
    waiting = [
        asyncio.create_task(call(api.app, "POST", "/v1/responses", each))  # pyright: ignore[reportArgumentType]
        for each in (first, second)
    ]

    async def requested() -> bool:
        watching = api.world.turns._watched  # pyright: ignore[reportPrivateUsage]
        return list(watching.values()) == [2]

    await eventually(requested)
    first.gone.set()
    async with asyncio.timeout(30):
        await waiting[0]
        await asyncio.gather(*api.world.turns._graces)  # pyright: ignore[reportPrivateUsage]
        (request,) = api.log.requests
        assert not isinstance(api.log.turn(LOCAL.tenant, request.response_id), ClosedTurn)
        await api.log.finish(request)
        await waiting[1]
    assert (second.status, second.json["status"]) == (200, "completed")
    kinds = [type(each.event).__name__ for each in await read(api, {"id": request.response_id})]
    assert kinds == ["Requested", "Closed"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("code", ["overloaded", "rate_limit_exceeded"])
async def test_a_failure_that_is_replayed_is_not_to_be_asked_for_again(
    api: Api, code: str, *, stream: bool
) -> None:
    status = 503 if code == "overloaded" else 429
    api.log.failure = Failure(status, "server_error", code, "Later.", retry_after_s=2)
    body = {"model": "m", "input": "a", "stream": stream}
    key = {"idempotency-key": "k"}
    first = await api.call("POST", "/v1/responses", body, **key)
    again = await api.call("POST", "/v1/responses", body, **key)
    assert error_of(first) == error_of(again) == (status, code)
    assert "x-should-retry" not in first.headers
    assert "retry-after" not in again.headers
    assert again.headers["x-should-retry"] == "false"
    assert len(api.log.requests) == 1
