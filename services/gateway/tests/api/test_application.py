"""The application of a request: named in a header, and passed to the guard."""

import pytest

from turnwire_contracts.events import Failure
from turnwire_contracts.json_values import JSON
from turnwire_testing.gateway import Api

NAMED = {"x-application-id": "shop.eu:v-1_b"}
ASKED: JSON = {"model": "m", "input": "x"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/responses", ASKED),
        ("/v1/responses", {**ASKED, "stream": True}),
        ("/v1/responses/compact", ASKED),
    ],
    ids=["plain", "stream", "compact"],
)
async def test_every_turn_knows_its_application(api: Api, path: str, body: JSON) -> None:
    exchange = await api.call("POST", path, body, **NAMED)
    assert exchange.status == 200
    assert [request.application for request in api.log.requests] == ["shop.eu:v-1_b"]


@pytest.mark.parametrize("given", ["", "a" * 129, "a b", "a/b", "ä", "a\tb"])
async def test_what_cannot_be_an_application_is_refused(api: Api, given: str) -> None:
    exchange = await api.call("POST", "/v1/responses", ASKED, **{"x-application-id": given})
    assert (exchange.status, exchange.json["error"]["param"]) == (400, "x-application-id")
    assert not api.log.requests


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_failure_that_says_when_to_come_back_is_told_with_it(
    api: Api, *, stream: bool
) -> None:
    api.log.failure = Failure(503, "server_error", "guard_unavailable", "No.", retry_after_s=7)
    exchange = await api.create(stream=stream)
    assert (exchange.status, exchange.headers["retry-after"]) == (503, "7")
