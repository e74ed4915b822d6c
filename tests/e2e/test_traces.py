"""One trace a turn, through all services, whoever finishes it and however late; by a real OTLP."""

import asyncio
from collections.abc import Generator
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
import orjson
import pytest

from e2e.conftest import running
from e2e.rig.conversation import MODEL, asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, calls, says
from turnwire_chassis.telemetry import names
from turnwire_testing.otlp import Collector, Told, collecting
from turnwire_testing.sockets import connected

POLICY = """
policies:
  default:
    input:
      - stage: words
        provider: regex
        settings: { patterns: { secret: ['zz-[0-9a-f]+'] } }
"""
TURN = names.processed(names.event_of("requested"))
CREATE = "POST /v1/responses"


@pytest.fixture(scope="module")
def collector() -> Generator[Collector]:
    with collecting() as running_collector:
        yield running_collector


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int, collector: Collector
) -> Generator[Stack]:
    """A stack that samples what clients want sampled, and one in a million beside that."""
    folder = tmp_path_factory.mktemp("traces")
    (folder / "policy.yaml").write_text(POLICY)
    stack = Stack(
        folder / "data",
        backend_url=f"http://127.0.0.1:{backend_port}/v1",
        guard_policy=str(folder / "policy.yaml"),
    )
    stack.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.000001",
    }
    yield from running(stack)


def traced(*, sampled: bool = True) -> tuple[str, dict[str, str]]:
    """Give a client's trace: its id, and the header."""
    trace_id = token_hex(16)
    return trace_id, {"traceparent": f"00-{trace_id}-{token_hex(8)}-0{int(sampled)}"}


def find(spans: list[Told], name: str) -> Told:
    """Give the one span of this name."""
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, (name, sorted(span.name for span in spans))
    return found[0]


async def whole(collector: Collector, trace_id: str, *wanted: str) -> list[Told]:
    """Wait for the spans of a trace."""
    needed = set(wanted)
    await collector.until(lambda: needed <= {span.name for span in collector.of(trace_id)})
    return collector.of(trace_id)


def above(spans: list[Told], span: Told) -> str:
    """Name the span above."""
    return next((each.name for each in spans if each.span_id == span.parent_id), "")


async def test_a_turn_is_one_trace_through_all_services(
    api: Api, backend: ScriptedBackend, desk: Desk, collector: Collector
) -> None:
    trace_id, header = traced()
    status, first = await api.post(asks("One."))
    assert status == 200
    backend.script(calls("add", {"a": 2, "b": 3}), says("Five."))
    body = asks("What is 2 + 3?", first["id"], tools=[desk.tool()])
    status, response = await api.post(body, **header)
    assert status == 200, response
    spans = await whole(collector, trace_id, CREATE, TURN, "tools/call add")
    tree = {span.name: (span.service, span.kind, above(spans, span)) for span in spans}
    request, closing = names.sent(names.event_of("requested")), names.event_of("closed")
    assert tree[CREATE] == ("turnwire-gateway", "SERVER", "")
    assert tree[request] == ("turnwire-gateway", "PRODUCER", CREATE)
    assert tree[TURN] == ("turnwire-orchestrator", "CONSUMER", CREATE)
    assert tree[names.QUEUE] == ("turnwire-orchestrator", "INTERNAL", TURN)
    assert tree[names.sent("guard.check")] == ("turnwire-orchestrator", "CLIENT", TURN)
    assert tree[names.processed("guard.check")][0] == "turnwire-guard"
    assert tree[names.processed("guard.check")][2] == names.sent("guard.check")
    assert tree[names.GUARD_STAGE] == (
        "turnwire-guard",
        "INTERNAL",
        names.processed("guard.check"),
    )
    assert tree["chat mock-model"][1:] == ("CLIENT", TURN)
    assert tree[names.processed("tools.call")][0] == "turnwire-tool-runner"
    assert tree["tools/call add"] == (
        "turnwire-tool-runner",
        "CLIENT",
        names.processed("tools.call"),
    )
    assert tree[names.sent(closing)] == ("turnwire-orchestrator", "PRODUCER", TURN)
    assert not any(span.failed for span in spans)


async def test_the_backend_and_tools_are_told_where_they_belong(
    api: Api, backend: ScriptedBackend, desk: Desk, collector: Collector
) -> None:
    trace_id, header = traced()
    backend.script(calls("add", {"a": 2, "b": 3}), says("Five."))
    status, _ = await api.post(asks("What is 2 + 3?", tools=[desk.tool()]), **header)
    assert status == 200
    spans = await whole(collector, trace_id, CREATE, TURN, "tools/call add")
    samples = {span.span_id for span in spans if span.name == "chat mock-model"}
    heard = {dict(each.headers)["traceparent"] for each in backend.requests[-2:]}
    assert heard == {f"00-{trace_id}-{span_id}-01" for span_id in samples}
    call = desk.asked("tools/call")[-1]
    wanted = f"00-{trace_id}-{find(spans, 'tools/call add').span_id}-01"
    assert call["params"]["_meta"]["traceparent"] == wanted
    assert call["headers"]["traceparent"] == wanted


async def test_a_sample_says_what_the_conventions_ask_for_and_no_content(
    api: Api, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced()
    secret = token_hex(16)
    backend.script(says(f"It is {secret}."))
    async with api.stream(asks(f"Say {secret}."), **header) as stream:
        events = await stream.to_the_end()
    spans = await whole(collector, trace_id, CREATE, TURN)
    sample = find(spans, "chat mock-model").attributes
    assert sample[names.GEN_AI_OPERATION] == "chat"
    assert sample[names.GEN_AI_PROVIDER]
    assert sample[names.GEN_AI_RESPONSE] == events[-1]["response"]["id"]
    assert sample[names.GEN_AI_OUTPUT_TOKENS] == events[-1]["response"]["usage"]["output_tokens"]
    assert sample[names.GEN_AI_FIRST_CHUNK] > 0
    assert len(spans) < 15, "no span stands for a frame"
    assert secret.encode() not in b"".join(collector.bodies)


async def test_a_turn_goes_on_in_its_trace_when_its_orchestrator_is_killed(
    api: Api, stack: Stack, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced(sampled=False)
    backend.script(says("Half", " of").paused(after=1), says("Whole."))
    async with api.stream(asks("Talk."), **header) as stream:
        await stream.until("response.output_text.delta", 1)
        stack.kill("orchestrator")
        await stream.to_the_end()
    await asyncio.to_thread(stack.wait_until_back, "orchestrator")
    spans = await whole(collector, trace_id, TURN, names.sent(names.event_of("taken_over")))
    turn = find(spans, TURN)
    assert turn.attributes[names.TAKEOVER] is True
    assert turn.attributes[names.STATUS] == "completed"
    # It is not below the lost owner's span, which nobody could send: it links it.
    ((linked_trace, linked_span),) = turn.links
    assert linked_trace == trace_id
    assert linked_span not in {turn.span_id, turn.parent_id}


async def test_a_background_turn_belongs_to_the_trace_of_its_request(
    api: Api, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced()
    backend.script(says("Done."))
    status, queued = await api.post(asks("Work.", background=True), **header)
    assert status == 202
    assert (await api.ended(queued["id"]))["status"] == "completed"
    spans = await whole(collector, trace_id, CREATE, TURN)
    turn = find(spans, TURN)
    assert turn.attributes[names.LANE] == "background"
    assert above(spans, turn) == CREATE


async def test_a_turn_that_fails_is_told_although_it_is_not_sampled(
    api: Api, backend: ScriptedBackend, collector: Collector
) -> None:
    fine, header = traced(sampled=False)
    backend.script(says("Well."))
    assert (await api.post(asks("Talk."), **header))[0] == 200
    failing, header = traced(sampled=False)
    backend.script(says("Half").cut(after=1))
    status, _ = await api.post(asks("Talk."), **header)
    assert status >= 500
    spans = await whole(collector, failing, CREATE, TURN, "chat mock-model")
    assert find(spans, TURN).failed
    assert find(spans, "chat mock-model").attributes[names.ERROR_TYPE] == "backend_stream_broken"
    assert find(spans, CREATE).failed
    assert collector.of(fine) == []


async def test_what_the_guard_refuses_is_told_although_it_is_not_sampled(
    api: Api, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced(sampled=False)
    status, _ = await api.post(asks("It is zz-0123."), **header)
    assert status == 400
    spans = await whole(collector, trace_id, TURN, names.processed("guard.check"))
    assert find(spans, names.processed("guard.check")).attributes[names.VERDICT] == "unsafe"
    assert not backend.requests


async def test_the_projection_is_a_trace_of_its_own_that_links_the_turns(
    api: Api, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced()
    backend.script(says("Kept."))
    assert (await api.post(asks("Talk."), **header))[0] == 200

    def projected() -> list[Told]:
        return [
            span
            for span in collector.spans
            if span.name == names.PROJECT and trace_id in {linked for linked, _ in span.links}
        ]

    await collector.until(lambda: bool(projected()))
    (span,) = projected()
    assert (span.service, span.trace_id == trace_id) == ("turnwire-store", False)


async def test_log_lines_of_a_turn_carry_its_ids_in_every_service(
    api: Api, stack: Stack, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced()
    backend.script(says("Well."))
    status, response = await api.post(asks("Talk."), **header, x_request_id="req-of-this-test")
    assert status == 200
    await whole(collector, trace_id, TURN)
    line = _line(stack, "orchestrator", "turn closed", trace_id)
    assert line["response_id"] == response["id"]
    assert line["request_id"] == "req-of-this-test"


def _line(stack: Stack, service: str, event: str, trace_id: str) -> JSON:
    log: Path = stack.data / "logs" / f"{service}.log"
    lines: list[Any] = [orjson.loads(line) for line in log.read_bytes().splitlines() if line]
    return next(
        line for line in lines if line["event"] == event and line.get("trace_id") == trace_id
    )


async def test_each_create_on_a_websocket_is_a_trace_of_its_own_or_the_clients(
    stack: Stack, backend: ScriptedBackend, collector: Collector
) -> None:
    trace_id, header = traced()
    backend.script(says("One."), says("Two."))
    async with connected(stack.url, {**stack.bearer, **header}) as socket:
        for text in ("First.", "Second."):
            await socket.response(model=MODEL, input=text)

    def both() -> bool:
        told = [span.name for span in collector.of(trace_id)]
        return told.count(names.SOCKET_CREATE) == told.count(TURN) == 2

    await collector.until(both)
    spans = collector.of(trace_id)
    turns = [span for span in spans if span.name == TURN]
    assert {above(spans, turn) for turn in turns} == {names.SOCKET_CREATE}


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{'1' * 16}-01", "", "00-zz"])
async def test_a_wrong_traceparent_is_as_if_there_were_none(
    api: Api, backend: ScriptedBackend, collector: Collector, header: str
) -> None:
    before = len(collector.spans)
    backend.script(says("Well."))
    status, _ = await api.post(asks("Talk."), traceparent=header)
    assert status == 200
    sampled = [span for span in collector.spans[before:] if span.name == CREATE]
    assert sampled == []


async def test_every_service_tells_its_metrics_of_these_turns(
    stack: Stack, session: aiohttp.ClientSession
) -> None:
    told: dict[str, str] = {}
    for name, child in stack.run()["children"].items():
        if child["metrics"]:
            async with session.get(child["metrics"]) as answer:
                told[name] = await answer.text()
    assert set(told) == {"gateway", "orchestrator", "tool-runner", "guard", "store"}
    for service, text in told.items():
        assert 'turnwire_build_info{python="' in text
        assert f'service="{service}"' in text
        assert "turnwire_broker_connected 1.0" in text
        assert "turnwire_event_loop_delay_seconds_count" in text
    wanted = {
        "gateway": 'turnwire_http_requests_total{method="POST",route="/v1/responses",status="2xx"}',
        "orchestrator": 'gen_ai_client_inference_usage_output_tokens_total{gen_ai_request_model="',
        "tool-runner": 'turnwire_tool_calls_total{outcome="answered",server="url"}',
        "guard": 'turnwire_guard_checks_total{check_type="input",verdict="unsafe"}',
        "store": "turnwire_projection_active 1.0",
    }
    assert {name: wanted[name] in text for name, text in told.items()} == dict.fromkeys(told, True)
    assert "resp_" not in "".join(told.values())
