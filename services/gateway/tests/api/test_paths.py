"""Habits of HTTP clients: `HEAD`, slashes too many, with and without `/v1` (sockets)."""

from collections.abc import AsyncGenerator

import msgspec
import orjson
import pytest

from turnwire_contracts.queries import BACKEND_MODELS, STORE_HEALTH, Models, SystemHealth
from turnwire_testing.gateway import Api
from turnwire_testing.listening import listening
from turnwire_testing.raw_http import Reply, raw, request
from turnwire_testing.sockets import connected

HOST = "Host: localhost"
BODY = orjson.dumps({"model": "m", "input": "Hello?"})
MODELS = b'{"object":"list","data":[{"id":"org/m"}]}'
GETS = [
    "/",
    "/health",
    "/openapi.json",
    "/v1/models",
    "/v1/models/org/m",
    "/v1/models/none",
    "/v1/conversations",
    "/v1/conversations/{conv}",
    "/v1/conversations/{conv}/items",
    "/v1/conversations/{conv}/responses",
    "/v1/responses/{resp}",
    "/v1/responses/{resp}/input_items",
    "/v1/responses/{resp}/events",
    "/v1/responses/{resp}/diff",
    "/v1/responses/resp_0",
    "/v1/responses",
    "/v1/check",
    "/nothing",
]
_CHANGING = {"date", "x-request-id"}


@pytest.fixture
async def url(api: Api) -> AsyncGenerator[str]:
    """The gateway's address."""
    models = BACKEND_MODELS.encode_answer(Models(msgspec.Raw(MODELS)))
    await api.answers(BACKEND_MODELS.subject, models)
    await api.answers(
        STORE_HEALTH.subject, STORE_HEALTH.encode_answer(SystemHealth(ok=True, detail=""))
    )
    async with listening(api.app) as url:
        yield url


async def ask(url: str, method: str, target: str, *headers: str, body: bytes = b"") -> Reply:
    """Ask on a connection of its own."""
    async with raw(url) as connection:
        await connection.send(request(method, target, [HOST, *headers], body))
        return await connection.reply(head=method == "HEAD")


async def names(api: Api) -> dict[str, str]:
    """Make a response in a conversation."""
    conversation = await api.converse()
    response = await api.say("Hello?", conversation=conversation, store=True)
    return {"conv": conversation, "resp": response["id"]}


def told(reply: Reply) -> tuple[int, dict[str, str]]:
    """Give what stands above the body and stays the same."""
    return reply.status, {name: each for name, each in reply.headers if name not in _CHANGING}


@pytest.mark.parametrize("path", GETS)
async def test_head_says_what_get_says_and_has_no_body(url: str, api: Api, path: str) -> None:
    path = path.format(**await names(api))
    found = await ask(url, "GET", path)
    async with raw(url) as connection:
        await connection.send(request("HEAD", path, [HOST]))
        assert told(await connection.reply(head=True)) == told(found)
        # Were there a body, it would stand before this answer.
        await connection.send(request("GET", path, [HOST]))
        assert (await connection.reply()).body == found.body


async def test_head_of_a_stream_has_no_frames(url: str, api: Api) -> None:
    path = f"/v1/responses/{(await names(api))['resp']}?stream=true"
    async with raw(url) as connection:
        await connection.send(request("HEAD", path, [HOST]))
        reply = await connection.reply(head=True)
        assert reply.status == 200
        assert (reply.header("content-type") or "").startswith("text/event-stream")
        await connection.send(request("GET", path, [HOST]))
        assert (await connection.reply()).body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("path", GETS)
async def test_a_path_is_the_same_with_slashes_too_many_and_with_or_without_v1(
    url: str, api: Api, path: str
) -> None:
    path = path.format(**await names(api))
    if path == "/nothing":
        return
    bare = path.removeprefix("/v1")
    found = await ask(url, "GET", path)
    ways = [f"{path}/", f"{path}//", bare, f"{bare}/", f"/v1{bare}", f"/v1{bare}/", f"//v1/{bare}"]
    for way in ways:
        reply = await ask(url, "GET", way)
        assert told(reply) == told(found), way
        if found.status != 405:
            assert reply.body == found.body, way


@pytest.mark.parametrize(
    "path", ["/v1/responses", "/responses", "/responses/", "/v1/responses/", "/v1//responses"]
)
async def test_a_turn_can_be_asked_for_at_every_way_to_write_the_path(url: str, path: str) -> None:
    reply = await ask(url, "POST", path, body=BODY)
    assert (reply.status, reply.json["status"]) == (200, "completed")
    streamed = orjson.dumps({"model": "m", "input": "Hello?", "stream": True})
    assert (await ask(url, "POST", path, body=streamed)).body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("base", ["", "/", "/v1/"])
async def test_a_websocket_opens_without_v1_as_well(url: str, base: str) -> None:
    async with connected(url.removesuffix("/v1") + base) as socket:
        assert (await socket.response(model="m", input="Hello?"))["status"] == "completed"


async def test_the_query_stays(url: str) -> None:
    for path in ("/conversations/?limit=0", "/v1/conversations?limit=0"):
        reply = await ask(url, "GET", path)
        assert (reply.status, reply.json["error"]["param"]) == (400, "limit")


@pytest.mark.parametrize(
    "path", ["/v2/responses", "/v1/v1/responses", "/v1x/models", "/v1/nothing/", "/modelsx", "/v11"]
)
async def test_what_there_is_not_stays_unknown_and_keeps_its_name(url: str, path: str) -> None:
    reply = await ask(url, "GET", path)
    assert (reply.status, reply.code) == (404, "unknown_url")
    assert f"GET {path}:" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/responses", "GET, HEAD, POST"),
        ("/responses/", "GET, HEAD, POST"),
        ("/v1/models", "GET, HEAD"),
        ("/models/", "GET, HEAD"),
        ("/v1/responses/resp_0/", "DELETE, GET, HEAD, PATCH"),
        ("/v1/conversations", "GET, HEAD, POST"),
        ("/health", "GET, HEAD"),
        ("/", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(url: str, path: str, allowed: str) -> None:
    reply = await ask(url, "PUT", path)
    assert (reply.status, reply.header("allow")) == (405, allowed)
    options = await ask(url, "OPTIONS", path)
    assert (options.status, options.header("allow")) == (405, allowed)


async def test_nothing_is_redirected_behind_a_proxy_that_ends_tls(url: str) -> None:
    headers = ["X-Forwarded-Proto: https", "X-Forwarded-Host: api.example"]
    for path in ("/v1/models/", "/v1/conversations/", "/docs/", "/v1/"):
        reply = await ask(url, "GET", path, *headers)
        assert (reply.status, reply.header("location")) == (200, None)
