"""The API over ASGI: real handlers between logs in memory and a broker that answers questions."""

from collections.abc import AsyncGenerator

import msgspec
import nats
import orjson
import pytest
from nats.aio.client import Client
from openai.types.responses import Response

from turnwire_chassis.jetstream.topology import declare
from turnwire_contracts.events import Failure
from turnwire_contracts.ids import OwnerId, is_response_id
from turnwire_contracts.queries import (
    BACKEND_MODELS,
    STORE_HEALTH,
    STORE_RESPONSE,
    Found,
    Missing,
    Models,
    Refusal,
    Running,
    SystemHealth,
)
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.frames import DONE
from turnwire_contracts.wire.response import closed_response
from turnwire_contracts.wire.stream import stream_of
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.examples import AT, RESPONSE_ID, closed, requested
from turnwire_testing.gateway import LIMIT, Api, ended
from turnwire_testing.memory_event_log import MemoryEventLog

BROKEN = Failure(502, "server_error", "backend_error", "It broke.")
MODELS = b'{"object":"list","data":[{"id":"m"}]}'
LOCAL_TURN = {"tenant": LOCAL.tenant, "owner": LOCAL.owner}


def stored() -> ClosedTurn:
    """A turn of the local user."""
    return ended([requested(stream=True, **LOCAL_TURN), closed(tenant=LOCAL.tenant)])


def error_of(exchange: Exchange) -> tuple[int, str]:
    """Status and code of an error, which must have the envelope."""
    error = exchange.json["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    return exchange.status, error["code"]


@pytest.fixture
async def api(nats_url: str) -> AsyncGenerator[Api]:
    client = await nats.connect(nats_url)
    yield Api(client)
    await client.close()


async def test_a_plain_request_gets_the_response(api: Api) -> None:
    exchange = await api.create()
    assert exchange.status == 200
    assert exchange.headers["content-type"] == "application/json"
    response = Response.model_validate(exchange.json)
    assert response.output_text == "Hi."
    assert is_response_id(response.id)


async def test_a_streamed_request_gets_the_frames(api: Api) -> None:
    exchange = await api.create(stream=True)
    assert exchange.status == 200
    assert exchange.headers["content-type"].startswith("text/event-stream")
    assert exchange.body.startswith(b"event: response.created\ndata: ")
    assert exchange.body.endswith(b"\n\n" + DONE)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_failed_turn_is_an_error_that_must_not_be_repeated(
    api: Api, *, stream: bool
) -> None:
    api.log.failure = BROKEN
    exchange = await api.create(stream=stream)
    assert error_of(exchange) == (502, "backend_error")
    assert exchange.headers["x-should-retry"] == "false"


async def test_the_caller_and_the_request_stand_in_the_event(api: Api) -> None:
    body = orjson.dumps({"model": "m", "input": "Hello?"})
    exchange = await api.post(body, **{"x-request-id": "mine-1", "authorization": "Bearer any"})
    (request,) = api.log.requests
    assert (request.tenant, request.owner) == (LOCAL.tenant, LOCAL.owner)
    assert (request.cause, exchange.headers["x-request-id"]) == ("mine-1", "mine-1")
    assert request.at == AT


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "a\nb", "é"])
async def test_a_request_without_a_usable_id_gets_one(api: Api, given: str | None) -> None:
    headers = {} if given is None else {"x-request-id": given}
    exchange = await api.get("/", **headers)
    assert exchange.headers["x-request-id"].startswith("req_")


async def test_a_wrong_request_is_told_what_is_wrong(api: Api) -> None:
    exchange = await api.create(temperature=9)
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "temperature"
    assert api.log.requests == []


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
async def test_a_body_that_is_too_large_is_refused(api: Api, *, announced: bool) -> None:
    body = b" " * (LIMIT + 1)
    headers = {"content-length": str(len(body))} if announced else {}
    assert error_of(await api.post(body, **headers)) == (413, "request_too_large")
    assert api.log.requests == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/responses", 404),
        ("PUT", "/v1/responses", 405),
        ("DELETE", "/v1/responses", 405),
    ],
)
async def test_what_there_is_not_has_the_same_envelope(
    api: Api, method: str, path: str, status: int
) -> None:
    exchange = await call(api.app, method, path)  # pyright: ignore[reportArgumentType]
    assert error_of(exchange)[0] == status


async def test_a_stored_response_is_retrieved(api: Api) -> None:
    turn = stored()
    await api.answers(STORE_RESPONSE.subject, STORE_RESPONSE.encode_answer(Found(turn)))
    exchange = await api.get(f"/v1/responses/{RESPONSE_ID}")
    assert (exchange.status, exchange.json) == (200, closed_response(turn))


async def test_a_running_response_is_retrieved_as_it_stands(api: Api) -> None:
    running = Running(requested(**LOCAL_TURN), instructions="Be brief.")
    await api.answers(STORE_RESPONSE.subject, STORE_RESPONSE.encode_answer(running))
    exchange = await api.get(f"/v1/responses/{RESPONSE_ID}")
    assert exchange.json["status"] == "in_progress"
    assert exchange.json["instructions"] == "Be brief."


@pytest.mark.parametrize(
    "answer",
    [
        Missing(),
        Running(requested(tenant=LOCAL.tenant, owner=OwnerId("another user"))),
        Found(ended([requested(owner=OwnerId("another user")), closed()])),
    ],
    ids=["missing", "running for another user", "of another user"],
)
async def test_what_is_not_there_and_what_is_not_yours_look_the_same(
    api: Api, answer: Missing | Running | Found
) -> None:
    await api.answers(STORE_RESPONSE.subject, STORE_RESPONSE.encode_answer(answer))
    exchange = await api.get(f"/v1/responses/{RESPONSE_ID}", authorization="local/local")
    assert error_of(exchange) == (404, "response_not_found")
    assert exchange.json["error"]["message"] == f"Response with ID '{RESPONSE_ID}' not found."


async def test_an_id_that_cannot_exist_is_not_asked_for(api: Api) -> None:
    assert error_of(await api.get("/v1/responses/resp_x")) == (404, "response_not_found")


@pytest.mark.parametrize(("after", "start"), [(None, 0), ("0", 1), ("3", 4), ("999", 1000)])
async def test_a_stored_response_is_streamed_again_from_anywhere(
    api: Api, after: str | None, start: int
) -> None:
    turn = stored()
    await MemoryEventLog.append(api.log, turn.request, None)
    await api.log.append(turn.closed, None)
    await api.answers(STORE_RESPONSE.subject, STORE_RESPONSE.encode_answer(Found(turn)))
    query = "" if after is None else f"&starting_after={after}"
    exchange = await api.get(f"/v1/responses/{RESPONSE_ID}?stream=true{query}")
    assert exchange.body == b"".join(stream_of(turn)[start:]) + DONE


@pytest.mark.parametrize("after", ["-1", "x", "1.5", ""])
async def test_a_place_in_a_stream_is_a_whole_number(api: Api, after: str) -> None:
    await api.answers(STORE_RESPONSE.subject, STORE_RESPONSE.encode_answer(Found(stored())))
    target = f"/v1/responses/{RESPONSE_ID}?stream=true&starting_after={after}"
    exchange = await api.get(target)
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "starting_after"


async def test_without_a_store_nothing_is_retrieved(api: Api) -> None:
    exchange = await api.get(f"/v1/responses/{RESPONSE_ID}")
    assert error_of(exchange) == (503, "store_unavailable")
    assert "x-should-retry" not in exchange.headers


@pytest.mark.parametrize("path", ["/models", "/v1/models"])
async def test_models_are_the_backends_own(api: Api, path: str) -> None:
    await api.answers(
        BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(Models(msgspec.Raw(MODELS)))
    )
    exchange = await api.get(path)
    assert (exchange.status, exchange.body) == (200, MODELS)


async def test_a_backend_that_has_no_models_says_why(api: Api) -> None:
    await api.answers(BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(Refusal(BROKEN)))
    assert error_of(await api.get("/v1/models")) == (502, "backend_error")


async def test_health_names_each_part(api: Api, client: Client) -> None:
    await declare(client, replicas=1)
    await api.answers(
        BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(Models(msgspec.Raw(MODELS)))
    )
    await api.answers(
        STORE_HEALTH.subject, STORE_HEALTH.encode_answer(SystemHealth(ok=True, detail=""))
    )
    exchange = await api.get("/health")
    ok = {"status": "ok"}
    assert (exchange.status, exchange.json) == (
        200,
        {"status": "ok", "broker": ok, "store": ok, "backend": ok},
    )


async def test_health_says_what_is_wrong(api: Api, client: Client) -> None:
    await declare(client, replicas=1)
    await api.answers(
        STORE_HEALTH.subject, STORE_HEALTH.encode_answer(SystemHealth(ok=False, detail="full"))
    )
    exchange = await api.get("/health")
    assert exchange.status == 503
    assert exchange.json["store"] == {"status": "error", "detail": "full"}
    assert exchange.json["backend"]["status"] == "error"
    assert exchange.json["broker"] == {"status": "ok"}


async def test_the_root_says_where_things_are(api: Api) -> None:
    exchange = await api.get("/")
    assert exchange.status == 200
    assert exchange.json["api"] == "/v1/responses"


async def test_a_fault_of_our_own_names_its_request_and_is_not_to_be_tried_again(
    api: Api,
) -> None:
    async def fails() -> None:
        raise RuntimeError("a secret")

    api.app.add_api_route("/fault", fails)
    exchange = Exchange(fields={"x-request-id": "mine"})
    with pytest.raises(RuntimeError):
        await call(api.app, "GET", "/fault", exchange)
    assert error_of(exchange) == (500, "internal_error")
    assert b"secret" not in exchange.body
    assert exchange.headers["x-request-id"] == "mine"
    assert exchange.headers["x-should-retry"] == "false"
