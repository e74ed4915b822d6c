"""Traces: free where they are off, held where they are not sampled, whole where work fails."""

import asyncio
import gc
import os
import threading
import time
import weakref

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from turnwire_chassis.telemetry import correlation, names, spans, trace_context, tracing
from turnwire_chassis.telemetry.sampling import sampler
from turnwire_chassis.telemetry.spans import MOST_HELD, NOTHING, TRACING
from turnwire_chassis.telemetry.trace_context import TraceContext
from turnwire_contracts.ids import Correlation, ResponseId, TenantId
from turnwire_contracts.queries import STORE_HISTORY, AskForHistory
from turnwire_testing.otlp import collecting
from turnwire_testing.spans import Kept

TRACE, ABOVE = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLERS = [
    *("always_on", "always_off", "traceidratio"),
    *("parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"),
]
UNSAMPLED = TraceContext(TRACE, ABOVE, sampled=False)
SAMPLED = TraceContext(TRACE, ABOVE, sampled=True)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    exporter = Kept()
    monkeypatch.setattr(TRACING, "exporter", exporter)
    return exporter


def names_of(kept: Kept) -> list[str]:
    return [span.name for span in kept.spans]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{ABOVE}",
        f"00-{TRACE}-{ABOVE}-1",
        f"00-{TRACE.upper()}-{ABOVE}-01",
        f"00-{'0' * 32}-{ABOVE}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{ABOVE}-01",
        f"00-{TRACE}-{ABOVE}-01-more",
        f" 00-{TRACE}-{ABOVE}-01",
        f"00-{TRACE}-{ABOVE}-01\n",
        f"00-{TRACE[:-1]}g-{ABOVE}-01",
    ],
)
def test_a_header_that_is_wrong_is_as_if_it_were_missing(header: str) -> None:
    assert trace_context.parse(header) is None


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{ABOVE}-01", True),
        (f"00-{TRACE}-{ABOVE}-00", False),
        (f"00-{TRACE}-{ABOVE}-03", True),
        (f"cc-{TRACE}-{ABOVE}-01-what-comes-later", True),
    ],
)
def test_a_header_is_read_as_w3c_says(header: str, sampled: bool) -> None:  # noqa: FBT001 -- a case
    assert trace_context.parse(header) == TraceContext(TRACE, ABOVE, sampled)


def test_nothing_is_traced_where_there_is_no_collector() -> None:
    with spans.arrive("GET /", "SERVER", SAMPLED) as span, spans.begin("below") as below:
        assert (span, below) == (NOTHING, NOTHING)
        below.set("a", 1)
        below.fail("x")
        below.keep()
    assert (NOTHING.attributes, NOTHING.kept) == ({}, False)


def test_a_sampled_span_is_exported_when_it_ends(kept: Kept) -> None:
    with spans.enter("work", "CONSUMER", SAMPLED) as work:
        with spans.begin("step"):
            pass
        assert names_of(kept) == ["step"]
    assert names_of(kept) == ["step", "work"]
    step, _ = kept.spans
    assert (step.trace_id, step.parent_id) == (TRACE, work.span_id)
    assert work.parent_id == ABOVE


def test_an_unsampled_span_is_not_exported(kept: Kept) -> None:
    with spans.enter("work", "CONSUMER", UNSAMPLED), spans.begin("step"):
        pass
    assert kept.spans == []


def test_work_that_fails_is_exported_with_all_its_steps(kept: Kept) -> None:
    with (
        pytest.raises(KeyError),
        spans.enter("work", "CONSUMER", UNSAMPLED),
        spans.begin("fine"),
        spans.begin("broken"),
    ):
        raise KeyError("secret")
    assert names_of(kept) == ["broken", "fine", "work"]
    assert kept.spans[0].attributes == {names.ERROR_TYPE: "KeyError"}


def test_a_step_that_fails_alone_does_not_fail_its_work(kept: Kept) -> None:
    with spans.enter("work", "CONSUMER", UNSAMPLED), spans.begin("step") as step:
        step.fail("tool_error")
    assert kept.spans == []


def test_a_span_that_nobody_sees_is_gone_at_once(kept: Kept) -> None:
    gc.disable()
    try:
        with spans.enter("work", "CONSUMER", UNSAMPLED) as work, spans.begin("step") as step:
            gone = [weakref.ref(work), weakref.ref(step)]
        del work, step
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()
    assert kept.spans == []


def test_work_that_is_cancelled_has_not_failed(kept: Kept) -> None:
    with pytest.raises(asyncio.CancelledError), spans.enter("work", "CONSUMER", UNSAMPLED):
        raise asyncio.CancelledError
    assert kept.spans == []


async def test_what_is_to_be_kept_tells_those_who_are_asked_later(kept: Kept) -> None:
    with spans.enter("work", "CONSUMER", UNSAMPLED) as work:
        assert correlation.outgoing()["traceparent"].endswith("-00")
        work.keep()
        assert correlation.outgoing()["traceparent"] == f"00-{TRACE}-{work.span_id}-01"
    assert names_of(kept) == ["work"]


def test_a_long_turn_holds_no_more_than_it_may(kept: Kept) -> None:
    with spans.enter("work", "CONSUMER", UNSAMPLED) as work:
        for _ in range(MOST_HELD + 10):
            with spans.begin("step"):
                pass
        work.keep()
    assert len(kept.spans) == MOST_HELD + 1


async def test_a_question_says_what_it_is_asked_for(kept: Kept) -> None:
    question = AskForHistory(TenantId("t"), ResponseId("r"))
    assert correlation.correlated(question) is question
    with spans.enter("work", "CONSUMER", SAMPLED) as work:
        correlation.correlate(request_id="req", response_id="r")
        body = STORE_HISTORY.encode_question(correlation.correlated(question))
    assert correlation.begin_answering(STORE_HISTORY, body) == question
    correlation.end_answering()
    line = correlation.add_correlation(None, "", {})
    assert line == {"trace_id": TRACE, "request_id": "req", "response_id": "r"}
    assert kept.spans[-1].name == names.processed("store.history")
    assert kept.spans[-1].parent_id == work.span_id


async def test_a_trace_passes_through_where_traces_are_off() -> None:
    correlation.correlate(str(SAMPLED))
    assert correlation.outgoing() == {"traceparent": str(SAMPLED)}
    assert correlation.traceparent() == str(SAMPLED)


def test_an_older_question_that_says_nothing_of_it_is_read() -> None:
    asked = STORE_HISTORY.decode_question(b'{"tenant":"t","response_id":"r"}')
    assert asked.correlation is None
    told = STORE_HISTORY.decode_question(
        b'{"tenant":"t","response_id":"r","correlation":{"request_id":"q"}}'
    )
    assert told.correlation == Correlation(request_id="q")


@pytest.mark.parametrize(
    ("environ", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_SAMPLER": "always_on"}, False),
    ],
)
def test_traces_are_on_where_a_collector_is_named(
    environ: dict[str, str],
    is_wanted: bool,  # noqa: FBT001 -- a case
) -> None:
    assert tracing.is_configured(environ) is is_wanted


@pytest.mark.parametrize("rate", ["0", "0.01", "0.5", "1", "", "2", "-1", "nan", "much"])
@pytest.mark.parametrize("name", [*SAMPLERS, "", "PARENTBASED_ALWAYS_ON", "none_such"])
@pytest.mark.filterwarnings("ignore")
def test_a_trace_is_sampled_as_the_sdk_would(
    monkeypatch: pytest.MonkeyPatch, name: str, rate: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", rate)
    theirs, ours = TracerProvider(shutdown_on_exit=False).sampler, sampler(os.environ)
    for last in ("0000000000000000", "028f5c28f5c28f5b", "028f5c28f5c28f5d", "f" * 16):
        trace_id = f"4bf92f3577b34da6{last}"
        for parent in (None, SAMPLED, UNSAMPLED):
            above = None
            if parent is not None:
                flags = TraceFlags(int(parent.sampled))
                told = SpanContext(
                    int(TRACE, 16), int(ABOVE, 16), is_remote=True, trace_flags=flags
                )
                above = set_span_in_context(NonRecordingSpan(told))
            decision = theirs.should_sample(above, int(trace_id, 16), "a").decision
            assert ours.samples(trace_id, parent) is decision.is_sampled()


def test_the_collector_gets_what_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with tracing.traced("gateway"):
            with spans.arrive("GET /", "SERVER", None):
                pass
            with spans.arrive("GET /x", "SERVER", SAMPLED) as span:
                span.links = [UNSAMPLED]
                span.set("some", ["a", "b"])
                span.fail("500")
        assert spans.begin("after") is NOTHING
    (told,) = collector.spans
    assert (told.name, told.kind, told.service) == ("GET /x", "SERVER", "turnwire-gateway")
    assert (told.trace_id, told.span_id, told.parent_id) == (TRACE, span.span_id, ABOVE)
    assert (told.failed, told.links) == (True, [(TRACE, ABOVE)])
    assert told.attributes == {"some": ["a", "b"], "error.type": "500"}
    assert (told.start, told.end) == (span.started, span.ended)


@pytest.mark.parametrize("status", [503, 400])
def test_a_collector_that_refuses_or_is_gone_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    others = set(threading.enumerate())
    with collecting() as collector:
        collector.status = status
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with tracing.traced("gateway"):
            began = time.monotonic()
            for _ in range(3000):
                with spans.enter("work", "CONSUMER", SAMPLED):
                    pass
            assert time.monotonic() - began < 30.0
            began = time.monotonic()
        assert time.monotonic() - began < 30.0
    for thread in set(threading.enumerate()) - others:
        thread.join(10.0)
        assert not thread.is_alive()
