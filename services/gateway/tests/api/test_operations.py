"""What the deployment says of itself: its models by name, and what is wrong with a part of it."""

import msgspec
import pytest

from turnwire_contracts.events import Failure
from turnwire_contracts.queries import BACKEND_MODELS, STORE_HEALTH, Models, Refusal, SystemHealth
from turnwire_testing.gateway import Api, error_of

LISTED = b'{"object":"list","data":[{"id":"small"},{"id":"org/large:8b"},{"no":"id"}]}'


async def with_models(api: Api, body: bytes = LISTED) -> None:
    """Let the backend have these models."""
    await api.answers(
        BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(Models(msgspec.Raw(body)))
    )


@pytest.mark.parametrize("name", ["small", "org/large:8b"])
@pytest.mark.parametrize("end", ["", "/"])
async def test_a_model_is_shown_by_its_name(api: Api, name: str, end: str) -> None:
    await with_models(api)
    exchange = await api.get(f"/v1/models/{name}{end}")
    assert (exchange.status, exchange.json) == (200, {"id": name})


@pytest.mark.parametrize("name", ["medium", "small/x", "org"])
async def test_a_model_that_is_not_there_is_answered_with_those_that_are(
    api: Api, name: str
) -> None:
    await with_models(api)
    exchange = await api.get(f"/v1/models/{name}")
    assert error_of(exchange) == (404, "model_not_found")
    message = exchange.json["error"]["message"]
    assert message == f"The model '{name}' does not exist. There are: 'small', 'org/large:8b'."


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"data":null}', b'{"data":[3]}'])
async def test_a_list_that_makes_no_sense_has_no_models(api: Api, body: bytes) -> None:
    await with_models(api, body)
    exchange = await api.get("/v1/models/small")
    assert error_of(exchange) == (404, "model_not_found")
    assert "There are: none." in exchange.json["error"]["message"]


async def test_without_an_orchestrator_there_are_no_models(api: Api) -> None:
    assert error_of(await api.get("/v1/models")) == (503, "orchestrator_unavailable")
    assert error_of(await api.get("/v1/models/small")) == (503, "orchestrator_unavailable")


async def test_health_says_what_the_backend_says(api: Api) -> None:
    broken = Refusal(Failure(502, "server_error", "backend_unavailable", "It is off."))
    await api.answers(BACKEND_MODELS.subject, BACKEND_MODELS.encode_answer(broken))
    await api.answers(
        STORE_HEALTH.subject, STORE_HEALTH.encode_answer(SystemHealth(ok=True, detail=""))
    )
    exchange = await api.get("/health")
    assert exchange.status == 503
    assert exchange.json["backend"] == {"status": "error", "detail": "It is off."}
    assert "x-should-retry" not in exchange.headers
