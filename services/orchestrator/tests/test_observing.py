"""What is told of turns and samples: no content unless that is wanted, and labels from lists."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator

import pytest

from turnwire_chassis.telemetry import names
from turnwire_chassis.telemetry.metric import EXPOSED, OTHER
from turnwire_chassis.telemetry.spans import TRACING
from turnwire_contracts.events import Closed, Failure, Requested, TurnUsage
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.observing import turns
from turnwire_orchestrator.observing.inference import Inference
from turnwire_orchestrator.ports import BackendStream, SampleOutcome
from turnwire_testing.examples import RESPONSE_ID, closed, requested
from turnwire_testing.spans import Kept

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FIRST = turns.Owner(attempt=1, epoch=1)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    exporter = Kept()
    monkeypatch.setattr(TRACING, "exporter", exporter)
    return exporter


def counted(name: str, **labels: str) -> float:
    """Give what a metric says now."""
    return EXPOSED.registry.get_sample_value(name, labels) or 0.0


def told(request: Requested, end: Closed, *, content: bool = False) -> None:
    """Own a turn and close it."""
    with turns.session(request, FIRST) as span:
        turns.closed(span, ClosedTurn(request, end), [], content=content)


async def test_a_turn_says_what_was_said_only_if_that_is_wanted(kept: Kept) -> None:
    request = requested(traceparent=TRACEPARENT)
    told(request, closed())
    told(request, closed(), content=True)
    silent, open_ = [span for span in kept.spans if span.name != names.QUEUE]
    assert names.GEN_AI_INPUT not in silent.attributes
    assert names.GEN_AI_OUTPUT not in silent.attributes
    assert '"role":"user"' in str(open_.attributes[names.GEN_AI_INPUT])
    assert '"role":"assistant"' in str(open_.attributes[names.GEN_AI_OUTPUT])


@pytest.mark.parametrize("end", [closed(stored=False), closed(withheld=True)])
async def test_what_is_not_kept_is_never_said(kept: Kept, end: Closed) -> None:
    told(requested(traceparent=TRACEPARENT), end, content=True)
    assert names.GEN_AI_OUTPUT not in kept.spans[-1].attributes


async def test_a_code_that_a_backend_made_up_is_other(kept: Kept) -> None:
    labels = {"lane": "foreground", "status": "failed", "code": OTHER}
    before = counted("turnwire_turns_total", **labels)
    failure = Failure(500, "server_error", "cuda_oom_7f3a", "It broke.")
    told(requested(traceparent=TRACEPARENT), closed(status="failed", failure=failure))
    assert counted("turnwire_turns_total", **labels) == before + 1
    assert kept.spans[-1].attributes[names.ERROR_TYPE] == OTHER


async def test_each_owner_links_the_one_before(kept: Kept) -> None:
    request = requested(traceparent=TRACEPARENT)
    for epoch in (1, 2, 3):
        with turns.session(request, turns.Owner(attempt=epoch, epoch=epoch)):
            pass
    first, second, third = [span for span in kept.spans if span.name != names.QUEUE]
    assert first.links == ()
    assert [link.span_id for link in second.links] == [first.span_id]
    assert [link.span_id for link in third.links] == [second.span_id]
    assert len({first.span_id, second.span_id, third.span_id}) == 3
    assert {first.parent_id, second.parent_id, third.parent_id} == {"00f067aa0ba902b7"}


async def test_a_turn_without_a_trace_is_counted_and_not_traced(kept: Kept) -> None:
    before = counted("turnwire_turns_total", lane="background", status="completed", code="")
    told(requested(background=True), closed())
    after = counted("turnwire_turns_total", lane="background", status="completed", code="")
    assert (after, kept.spans) == (before + 1, [])


class Reader:
    """Has read an outcome."""

    def __init__(self, outcome: SampleOutcome | None) -> None:
        self.outcome = outcome

    def take(self, data: bytes) -> None:
        """Nothing is read."""

    def end(self) -> SampleOutcome:
        """Give it."""
        raise NotImplementedError

    def stop(self) -> None:
        """Nothing waits."""


async def sampled(
    outcome: SampleOutcome | None,
    error: BaseException | None = None,
    reader: Reader | None = None,
) -> None:
    """Sample once."""

    async def reads() -> AsyncIterator[list[bytes]]:
        yield [b"1", b"2"]
        yield [b"3"]

    with Inference(requested(), "m", "north") as inference:
        answering = inference.measured(BackendStream(reads(), lambda _: reader or Reader(outcome)))
        answering.reader(Assembler(RESPONSE_ID, None, 0))
        async for events in answering.reads:
            answering.on_read(len(events))
        if error is not None:
            raise error


def samples(error_type: str) -> float:
    """Give how many samples ended so."""
    name = "gen_ai_client_inference_duration_seconds_count"
    return counted(name, gen_ai_request_model="m", server="north", error_type=error_type)


async def test_what_was_asked_is_let_go_when_a_turn_that_is_not_sampled_ends(kept: Kept) -> None:
    outcome = SampleOutcome(status="completed", usage=TurnUsage(input_tokens=3, output_tokens=7))
    reader = Reader(outcome)
    alive = weakref.ref(reader)
    gc.disable()
    try:
        with turns.session(requested(traceparent=f"{TRACEPARENT[:-1]}0"), FIRST):
            await sampled(outcome, reader=reader)
        del reader
        assert (alive(), kept.spans) == (None, [])
    finally:
        gc.enable()


async def test_a_sample_counts_its_time_and_its_tokens() -> None:
    tokens = "gen_ai_client_inference_usage_output_tokens_total"
    before = samples(""), counted(tokens, gen_ai_request_model="m")
    await sampled(
        SampleOutcome(status="completed", usage=TurnUsage(input_tokens=3, output_tokens=7))
    )
    assert (samples(""), counted(tokens, gen_ai_request_model="m")) == (
        before[0] + 1,
        before[1] + 7,
    )


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (TurnFailedError(Failure(504, "server_error", "backend_timeout", "")), "backend_timeout"),
        (TurnFailedError(Failure(500, "server_error", "what_it_says", "")), OTHER),
        (ValueError("nonsense"), "backend_stream_broken"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_a_sample_that_fails_says_why(error: BaseException, error_type: str) -> None:
    before = samples(error_type)
    with pytest.raises(type(error)):
        await sampled(None, error)
    assert samples(error_type) == before + 1


async def test_a_stream_without_an_end_is_broken() -> None:
    before = samples("backend_stream_broken")
    await sampled(None)
    assert samples("backend_stream_broken") == before + 1
