"""What a server is, is found out: which API it speaks, and whose dialect."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from scripted_backend import Dialect as Scripted
from scripted_backend import running_backend, says
from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference import backend as looking
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.probing import api_spoken, has_route, in_words
from turnwire_orchestrator.prompting.dialect import Api, Dialect, dialect_of
from turnwire_orchestrator.servers import Server
from turnwire_testing.plain_http import PlainServer, serving
from turnwire_testing.prompts import prompt
from turnwire_testing.waiting import eventually

TIMEOUTS = Timeouts(connect_s=5.0, idle_s=1.0)
MODELS = "GET /v1/models"
RESPONSES = "POST /v1/responses"
CHAT = "POST /v1/chat/completions"
LISTED = (200, {"data": [{"id": "m", "owned_by": "somebody"}]})
FAULTY = (400, {"error": {"message": "'input' is required"}})


@pytest.mark.parametrize(
    ("status", "body", "there"),
    [
        (400, {"error": {"message": "'input' is required"}}, True),
        (422, {"detail": [{"msg": "Field required"}]}, True),
        (500, {"error": {"message": "oops"}}, True),
        (500, None, True),
        (200, {"object": "response", "id": "resp_1"}, True),
        (200, {}, True),
        (200, {"object": "response", "id": "resp_1", "error": None}, True),
        (200, {"id": "resp_1", "status": "completed", "output": [], "error": {}}, True),
        (200, {"object": "chat.completion", "choices": [], "error": ""}, True),
        (200, {"error": {"message": "'input' is required"}}, True),
        (200, {"error": "field `model` is missing"}, True),
        (200, {"error": {"message": "Invalid endpoint: missing route"}}, False),
        (200, None, False),
        (200, "gone", False),
        (302, None, False),
        (404, {"error": {"message": "The model `` does not exist.", "code": 404}}, True),
        (404, {"error": {"message": "nothing", "param": "model"}}, True),
        (404, {"error": {"message": "nothing", "code": "model_not_found"}}, True),
        (404, {"error": "model '' not found, try pulling it first"}, True),
        (404, {"detail": "The model `` does not exist."}, True),
        (404, {"detail": "Not Found"}, False),
        (404, {"error": {"message": "File Not Found", "code": 404}}, False),
        (404, None, False),
        (405, {"detail": "Method Not Allowed"}, False),
        (501, None, False),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}, False),
        (401, {"error": {"message": "no key"}}, None),
        (402, None, None),
        (425, None, None),
        (403, None, None),
        (429, None, None),
        (502, None, None),
        (503, {"error": {"message": "Loading model"}}, None),
    ],
)
def test_a_route_is_there_or_not_by_how_it_refuses_nothing(
    *, status: int, body: Any, there: bool | None
) -> None:
    assert has_route(status, orjson.dumps(body)) is there


def test_a_route_that_answers_no_json_is_judged_by_its_status() -> None:
    assert has_route(404, b"404 page not found") is False
    assert has_route(404, b"<html>no such model page</html>") is False
    assert has_route(400, b"<html>") is True
    assert has_route(422, b"") is True
    assert has_route(200, b"<html>Welcome!</html>") is False
    assert has_route(200, b"") is False


@pytest.mark.parametrize(
    "begin", [b"data: {}\n\n", b": hello\n\n", b"event: response.created\ndata: {}\n\n"]
)
def test_a_stream_is_an_answer(begin: bytes) -> None:
    assert has_route(200, begin) is True


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b'{"error":{"message":"\'input\' is required"}}', "400 ('input' is required)"),
        (404, b'{"detail":"Not\\n Found"}', "404 (Not Found)"),
        (404, b"404 page not found", "404"),
        (200, b"{}", "200"),
        (200, b'{"error":"Unexpected endpoint"}', "200 (Unexpected endpoint)"),
        (400, b'{"error":"%b"}' % (b"x" * 500), f"400 ({'x' * 120}…)"),
    ],
)
def test_what_a_route_answers_can_be_told(status: int, body: bytes, words: str) -> None:
    assert in_words("/responses", status, body) == f"POST /responses answers {words}"


@pytest.mark.parametrize(
    ("responses", "chat", "api"),
    [
        (True, None, Api.RESPONSES),
        (False, True, Api.CHAT),
        (False, False, None),
        (False, None, None),
        (None, None, None),
    ],
)
def test_responses_come_first(
    *, responses: bool | None, chat: bool | None, api: Api | None
) -> None:
    assert api_spoken(responses=responses, chat=chat) is api


@pytest.mark.parametrize(
    ("owner", "dialect"),
    [
        ("llamacpp", Dialect.LLAMA_CPP),
        ("vllm", Dialect.VLLM),
        ("sglang", Dialect.SGLANG),
        ("library", Dialect.OLLAMA),
        ("organization_owner", Dialect.LM_STUDIO),
        ("system", Dialect.OPENAI),
        ("somebody", Dialect.PLAIN),
        (None, Dialect.PLAIN),
    ],
)
def test_a_dialect_is_known_by_who_owns_the_models(owner: str | None, dialect: Dialect) -> None:
    assert dialect_of({"data": [{"id": "m", "owned_by": owner}]}) is dialect
    assert dialect_of([]) is Dialect.PLAIN


@pytest.fixture
async def server() -> AsyncGenerator[PlainServer]:
    async with serving({MODELS: LISTED, RESPONSES: FAULTY, CHAT: FAULTY}) as running:
        yield running


@pytest.fixture
async def backend(server: PlainServer) -> AsyncGenerator[HttpBackend]:
    opened = HttpBackend(Server("mock", server.url), TIMEOUTS)
    yield opened
    await opened.close()


async def test_a_server_with_both_routes_is_asked_for_responses(
    server: PlainServer, backend: HttpBackend
) -> None:
    await backend.look()
    assert backend.api is Api.RESPONSES
    assert backend.why == "POST /responses answers 400 ('input' is required)"
    assert (server.asked, server.bodies) == ([MODELS, RESPONSES], [None, {}])


@pytest.mark.parametrize("answer", [{}, {"object": "response", "id": "resp_1", "error": None}])
async def test_a_server_that_answers_an_empty_request_has_the_route(
    server: PlainServer, backend: HttpBackend, answer: JSON
) -> None:
    server.routes[RESPONSES] = (200, answer)
    await backend.look()
    assert (backend.api, backend.why) == (Api.RESPONSES, "POST /responses answers 200")


@pytest.mark.parametrize(
    "missing",
    [(404, {"detail": "Not Found"}), (405, None), (200, {"error": "Unexpected endpoint"})],
)
async def test_a_server_without_responses_is_asked_for_chat_completions(
    server: PlainServer, backend: HttpBackend, missing: tuple[int, JSON | None]
) -> None:
    server.routes[RESPONSES] = missing
    await backend.look()
    assert backend.api is Api.CHAT
    asked, found = backend.why.split("; ")
    assert asked.startswith(f"POST /responses answers {missing[0]}")
    assert found == "POST /chat/completions answers 400 ('input' is required)"


async def test_a_server_that_lists_no_models_is_found_out_too(
    server: PlainServer, backend: HttpBackend
) -> None:
    del server.routes[MODELS]
    await backend.look()
    assert (backend.api, backend.dialect) == (Api.RESPONSES, Dialect.PLAIN)


@pytest.mark.parametrize("route", [MODELS, RESPONSES], ids=["the list of models", "the route"])
async def test_a_server_that_is_not_ready_is_looked_at_again(
    server: PlainServer, backend: HttpBackend, route: str
) -> None:
    ready, server.routes[route] = server.routes[route], (503, {"error": {"message": "Loading"}})
    with pytest.raises(TurnFailedError):
        await backend.look()
    assert backend.api is None
    server.routes[route] = ready
    await backend.look()
    assert backend.api is Api.RESPONSES


async def test_what_speaks_neither_is_no_inference_server(
    server: PlainServer, backend: HttpBackend
) -> None:
    server.routes.clear()
    with pytest.raises(TurnFailedError) as raised:
        await backend.look()
    message = raised.value.failure.message
    assert server.url in message
    assert "POST /responses answers 404 (Not Found); POST /chat/completions answers 404" in message


async def test_a_server_is_asked_once_what_it_speaks(
    server: PlainServer, backend: HttpBackend
) -> None:
    await asyncio.gather(*(backend.look() for _ in range(5)))
    await backend.look()
    assert server.asked.count(RESPONSES) == 1


async def test_another_server_in_its_place_is_asked_again(
    server: PlainServer, backend: HttpBackend
) -> None:
    await backend.look()
    server.routes |= {
        MODELS: (200, {"data": [{"id": "m", "owned_by": "vllm"}]}),
        RESPONSES: (404, None),
    }
    await backend.look()
    assert (backend.api, backend.dialect) == (Api.CHAT, Dialect.VLLM)


async def test_an_api_that_is_set_is_not_probed(server: PlainServer) -> None:
    backend = HttpBackend(Server("mock", server.url, api=Api.CHAT), TIMEOUTS)
    await backend.look()
    await backend.close()
    assert (backend.api, server.asked) == (Api.CHAT, [MODELS])
    assert backend.why == "the settings say so"


async def test_a_list_that_is_no_json_is_a_failure(
    server: PlainServer, backend: HttpBackend
) -> None:
    server.routes[MODELS] = (200, "<html>Welcome!</html>")
    with pytest.raises(TurnFailedError):
        await backend.models()


@pytest.mark.parametrize(
    ("apis", "path"),
    [(("responses", "chat"), "/v1/responses"), (("chat",), "/v1/chat/completions")],
)
async def test_the_first_sample_waits_to_know_what_it_speaks(
    apis: tuple[str, ...], path: str
) -> None:
    async with running_backend(apis=apis) as server:
        server.script(says("Hi"))
        backend = HttpBackend(Server("mock", server.url), TIMEOUTS)
        async with backend.sample(prompt()) as answering:
            reads = [data async for events in answering.reads for data in events]
        await backend.close()
    assert reads[-1] == b"[DONE]"
    assert [request.path for request in server.requests] == [path]


@pytest.mark.parametrize("dialect", ["llamacpp", "vllm", "sglang", "ollama"])
async def test_the_scripted_dialects_are_known_by_their_models(dialect: Scripted) -> None:
    async with running_backend(dialect=dialect) as server:
        backend = HttpBackend(Server("mock", server.url), TIMEOUTS)
        await backend.look()
        await backend.close()
    assert backend.dialect.name.replace("_", "").lower() == dialect


async def test_what_is_found_and_why_is_logged_once_and_again_when_it_changes(
    server: PlainServer, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "_LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(looking, "_LOOK_AGAIN_S", 0.01)
    ready, server.routes[RESPONSES] = server.routes[RESPONSES], (503, None)

    async def asked(models: int) -> None:
        async def is_so() -> bool:
            return server.asked.count(MODELS) >= models

        await eventually(is_so)

    with capture_logs() as logged:
        task = asyncio.create_task(backend.keep_looking())
        await asked(3)
        server.routes[RESPONSES] = ready
        await asked(server.asked.count(MODELS) + 3)
        task.cancel()
    events = [each["event"] for each in logged]
    assert events == ["backend not found", "backend found"]
    assert "POST /responses answers 503" in logged[0]["why"]
    assert (logged[1]["api"], logged[1]["why"]) == ("responses", backend.why)
