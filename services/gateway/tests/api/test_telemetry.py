"""What is measured of requests: by route template and status, never by what clients write."""

from collections.abc import AsyncGenerator

import nats
import pytest

from turnwire_chassis.telemetry.metric import EXPOSED
from turnwire_testing.asgi import call
from turnwire_testing.examples import RESPONSE_ID
from turnwire_testing.gateway import Api


def counted(name: str, **labels: str) -> float:
    """Give what a metric says now."""
    return EXPOSED.registry.get_sample_value(name, labels) or 0.0


def requests(method: str, route: str, status: str) -> float:
    """Give how many requests were counted."""
    name = "turnwire_http_requests_total"
    return counted(name, method=method, route=route, status=status)


@pytest.fixture
async def api(nats_url: str) -> AsyncGenerator[Api]:
    client = await nats.connect(nats_url)
    yield Api(client)
    await client.close()


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("GET", f"/v1/responses/{RESPONSE_ID}x", "/v1/responses/{response_id}", "4xx"),
        ("GET", "/v1/responses/../secret", "_unknown", "4xx"),
        ("GET", "/wp-login.php", "_unknown", "4xx"),
        ("PUT", "/v1/responses", "/v1/responses", "4xx"),
        ("GET", "/", "/", "2xx"),
        ("GET", "/v1/conversations/conv_x", "/v1/conversations/{conversation_id}", "4xx"),
    ],
)
async def test_requests_are_counted_by_template(
    api: Api, method: str, path: str, route: str, status: str
) -> None:
    before = requests(method, route, status)
    await call(api.app, method, path)
    assert requests(method, route, status) == before + 1


async def test_a_method_that_is_none_is_other(api: Api) -> None:
    before = requests("_other", "_unknown", "4xx")
    await call(api.app, "BREW", "/coffee")
    assert requests("_other", "_unknown", "4xx") == before + 1


async def test_a_thousand_paths_are_one_series(api: Api) -> None:
    for number in range(50):
        await call(api.app, "GET", f"/scan/{number}")
    text = EXPOSED.text().decode()
    assert "/scan/" not in text


async def test_a_stream_is_measured_when_it_ends(api: Api) -> None:
    before = counted("turnwire_stream_first_frame_seconds_count", method="POST")
    frames = counted("turnwire_frames_sent_total", source="live")
    exchange = await api.create(stream=True)
    assert exchange.status == 200
    assert counted("turnwire_stream_first_frame_seconds_count", method="POST") == before + 1
    sent = exchange.body.count(b"\ndata: {") + exchange.body.startswith(b"data: {")
    kept = counted("turnwire_frames_sent_total", source="live") - frames
    assert sent == kept > 0
    assert counted("turnwire_streams_open") == 0
    assert counted("turnwire_http_requests_in_progress") == 0


async def test_what_the_gateway_refuses_is_counted_by_its_code(api: Api) -> None:
    before = counted("turnwire_http_errors_total", code="invalid_value")
    await api.create(temperature="hot")
    assert counted("turnwire_http_errors_total", code="invalid_value") == before + 1
