"""The gateway's side of a turn: its answer, its watchers, and the request to cancel it."""

import asyncio

import orjson
import pytest

from turnwire_chassis.event_log import EventLog, LogUnavailableError, TooLargeError
from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_contracts.events import CancelRequested, Requested
from turnwire_contracts.ids import ResponseId, TurnKey
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.refusals import guard_unavailable
from turnwire_gateway.admission.admission import Admitted
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.stream_parts import EarlyResponse
from turnwire_gateway.api.turns import TurnLimits, Turns
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import AT, RESPONSE_ID, TENANT, TURN, closed, requested
from turnwire_testing.memory_event_log import Event, MemoryEventLog
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0
ANSWER = FrameMessage("A", 1, 200, 0, b'{"id":"x"}')


class Gateway:
    """The turns of one gateway; a test plays the orchestrator and the other gateways."""

    def __init__(self, log: EventLog | None = None, grace_s: float = 0.0) -> None:
        """No other gateway has a reader."""
        self.log = log or MemoryEventLog()
        self.output = MemoryOutputLog()
        self.watched_elsewhere = False
        self.asked_about: list[TurnKey] = []
        self.left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        limits = TurnLimits(turn_timeout_s=60, stream_grace_s=grace_s, max_body_bytes=1000)
        self.turns = Turns(Logs(self.log, self.output), limits, self._is_watched, lambda: AT)

    async def _is_watched(self, turn: TurnKey) -> bool:
        self.asked_about.append(turn)
        return self.watched_elsewhere or self.turns.watches(turn)

    async def cancellations(self) -> list[CancelRequested]:
        """The requests to cancel that are in the log."""
        recorded = await self.log.read(TENANT, RESPONSE_ID)
        return [each.event for each in recorded if isinstance(each.event, CancelRequested)]

    async def was_cancelled(self) -> None:
        """Wait for a request to cancel."""

        async def is_there() -> bool:
            return bool(await self.cancellations())

        await eventually(is_there)

    async def decided(self) -> None:
        """Wait until it is decided about every turn that lost a reader."""
        async with asyncio.timeout(WITHIN_S):
            await asyncio.gather(*self.turns._graces)  # pyright: ignore[reportPrivateUsage]


class AnsweringLog(MemoryEventLog):
    """A log whose orchestrator answers at once."""

    def __init__(self) -> None:
        """Answer no turn yet."""
        super().__init__()
        self.output: MemoryOutputLog | None = None

    async def append(self, event: Event, expected: int | None) -> int:
        """See `EventLog.append`."""
        sequence = await super().append(event, expected)
        if self.output is not None and isinstance(event, Requested):
            await self.output.answer(event.turn_key, ANSWER)
        return sequence


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


async def test_an_answer_is_heard_however_soon_it_comes() -> None:
    log = AnsweringLog()
    gateway = Gateway(log)
    log.output = gateway.output
    async with asyncio.timeout(WITHIN_S):
        answer = await gateway.turns.answer(Admitted(requested()), gateway.left)
    assert answer == EarlyResponse(200, b'{"id":"x"}')
    assert await gateway.cancellations() == []


async def test_a_plain_client_that_leaves_ends_its_turn_at_once(gateway: Gateway) -> None:
    answering = asyncio.create_task(gateway.turns.answer(Admitted(requested()), gateway.left))
    await asyncio.wait({answering}, timeout=0)
    gateway.left.set_result(None)
    async with asyncio.timeout(WITHIN_S):
        assert await answering is None
    (cancellation,) = await gateway.cancellations()
    assert (cancellation.reason, cancellation.at) == ("client_left", AT)


async def test_a_client_that_leaves_after_the_end_cancels_nothing(gateway: Gateway) -> None:
    answering = asyncio.create_task(gateway.turns.answer(Admitted(requested()), gateway.left))
    await asyncio.wait({answering}, timeout=0)
    await gateway.log.append(closed(), None)
    gateway.left.set_result(None)
    async with asyncio.timeout(WITHIN_S):
        await answering
    assert await gateway.cancellations() == []


@pytest.mark.parametrize(
    ("error", "status"), [(TooLargeError("9 bytes"), 413), (LogUnavailableError("away"), 503)]
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_turn_that_does_not_come_to_be_is_refused(
    error: Exception, status: int, *, stream: bool
) -> None:
    class Refusing(MemoryEventLog):
        async def append(self, event: Event, expected: int | None) -> int:
            del event, expected
            raise error

    gateway = Gateway(Refusing())
    request = requested(stream=stream)
    begun = gateway.turns.begin_stream(Admitted(request)) if stream else None
    with pytest.raises(ApiError) as raised:
        await (begun or gateway.turns.answer(Admitted(request), gateway.left))
    assert raised.value.failure.http_status == status
    assert not CATALOGUE[raised.value.failure.code].turn_exists
    assert not gateway.turns.watches(TURN)
    for _ in range(8):
        with pytest.raises(ApiError):
            await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    assert gateway.turns.queues.place(requested()) == 0, "what was not sent is not on its way"


async def test_a_stream_is_watched_from_its_request_to_its_end(gateway: Gateway) -> None:
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    assert gateway.turns.watches(TURN)
    await gateway.turns.end_stream(feed, ended=True, begun=True)
    assert not gateway.turns.watches(TURN)
    await gateway.decided()
    assert gateway.asked_about == []
    assert await gateway.cancellations() == []


async def test_two_readers_watch_one_turn(gateway: Gateway) -> None:
    first = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    second = await gateway.turns.join_stream(TURN, 0)
    await gateway.turns.end_stream(first, ended=False, begun=True)
    await gateway.decided()
    assert gateway.turns.watches(TURN)
    assert await gateway.cancellations() == []
    await gateway.turns.end_stream(second, ended=False, begun=True)
    await gateway.was_cancelled()


async def test_a_stream_that_nobody_reads_any_more_is_cancelled(gateway: Gateway) -> None:
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    await gateway.turns.end_stream(feed, ended=False, begun=True)
    await gateway.was_cancelled()
    assert len(await gateway.cancellations()) == 1


async def test_a_stream_that_somebody_reads_elsewhere_lives_on(gateway: Gateway) -> None:
    gateway.watched_elsewhere = True
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    await gateway.turns.end_stream(feed, ended=False, begun=True)
    await gateway.decided()
    assert await gateway.cancellations() == []


async def test_a_stream_waits_a_while_for_its_reader_to_come_back() -> None:
    gateway = Gateway(grace_s=0.05)
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    await gateway.turns.end_stream(feed, ended=False, begun=True)
    again = await gateway.turns.join_stream(TURN, 0)
    await gateway.decided()
    assert gateway.asked_about == [TURN]
    assert await gateway.cancellations() == []
    await gateway.turns.end_stream(again, ended=True, begun=True)


async def test_a_reader_whose_turn_is_still_looked_up_has_come_back(gateway: Gateway) -> None:
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    with gateway.turns.joining(TURN):
        await gateway.turns.end_stream(feed, ended=False, begun=True)
        await gateway.decided()
    assert await gateway.cancellations() == []


async def test_nobody_waits_for_a_reader_who_never_saw_the_id() -> None:
    gateway = Gateway(grace_s=600)
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    await gateway.turns.end_stream(feed, ended=False, begun=False)
    await gateway.was_cancelled()


async def test_a_turn_that_ended_meanwhile_is_not_cancelled(gateway: Gateway) -> None:
    feed = await gateway.turns.begin_stream(Admitted(requested(stream=True)))
    await gateway.log.append(closed(), None)
    await gateway.turns.end_stream(feed, ended=False, begun=True)
    await gateway.decided()
    assert await gateway.cancellations() == []


async def test_an_answer_that_was_lost_is_found_in_the_log(gateway: Gateway) -> None:
    answering = asyncio.create_task(gateway.turns.answer(Admitted(requested()), gateway.left))
    await asyncio.wait({answering}, timeout=0)
    await gateway.log.append(closed(), None)
    async with asyncio.timeout(3 * WITHIN_S):
        answer = await answering
    assert answer is not None
    assert (answer.status, orjson.loads(answer.body)["status"]) == (200, "completed")


async def test_an_answer_that_nobody_can_give_any_more_is_not_waited_for(gateway: Gateway) -> None:
    request = requested(store=False, fingerprint="f")
    await gateway.log.append(closed(stored=False, output=[]), None)
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(ApiError) as raised:
            await gateway.turns.answer(Admitted(request), gateway.left)
    assert (raised.value.failure.http_status, raised.value.failure.code) == (502, "answer_lost")
    assert CATALOGUE[raised.value.failure.code].turn_exists


async def run(gateway: Gateway, request: Requested) -> object:
    """Have a turn run in the way that is asked for."""
    if request.background:
        return await gateway.turns.queue(request)
    if request.stream:
        return await gateway.turns.begin_stream(Admitted(request))
    return await gateway.turns.answer(Admitted(request), gateway.left)


@pytest.mark.parametrize("way", [{}, {"stream": True}, {"background": True}], ids=str)
async def test_another_request_of_the_same_moment_and_key_is_refused(
    gateway: Gateway, way: dict[str, bool]
) -> None:
    """Both have looked the key up before either was in the log: the second one finds a fence."""
    await gateway.log.append(requested(**way, fingerprint="first"), None)
    await gateway.log.append(closed(), None)
    with pytest.raises(ApiError) as raised:
        await run(gateway, requested(**way, fingerprint="second"))
    assert raised.value.failure.code == "idempotency_key_reused"
    assert await gateway.turns.queue(requested(**way, fingerprint="first", cause="req_2"))


async def test_a_client_that_leaves_a_turn_with_a_key_gives_it_time(gateway: Gateway) -> None:
    gateway.watched_elsewhere = True
    keyed = Admitted(requested(fingerprint="f"))
    answering = asyncio.create_task(gateway.turns.answer(keyed, gateway.left))
    await asyncio.wait({answering}, timeout=0)
    gateway.left.set_result(None)
    async with asyncio.timeout(WITHIN_S):
        assert await answering is None
    await gateway.decided()
    assert gateway.asked_about == [TURN]
    assert await gateway.cancellations() == []


async def test_a_failure_whose_answer_was_lost_is_told_though_nothing_else_is_kept(
    gateway: Gateway,
) -> None:
    request = requested(fingerprint="f")
    failed = guard_unavailable()
    await gateway.log.append(closed(stored=False, output=[], status="failed", failure=failed), None)
    async with asyncio.timeout(WITHIN_S):
        answer = await gateway.turns.answer(Admitted(request), gateway.left)
    assert answer is not None
    assert (answer.status, orjson.loads(answer.body)["error"]["code"]) == (503, failed.code)
    # The same key would be told the same for ever, so nobody is asked to come again with it.
    assert (answer.retry_after_s, answer.replayed) == (0, True)


async def test_streams_are_counted_before_they_are_sent_and_readers_are_not_turns() -> None:
    gateway = Gateway()
    feeds: list[FrameFeed] = []
    for number in range(8):
        request = requested(stream=True, response_id=ResponseId(f"resp_{number}"))
        feeds.append(await gateway.turns.begin_stream(Admitted(request)))
    levels: list[int] = []
    for feed in feeds:
        (recorded,) = await gateway.log.read(*feed.turn)
        assert isinstance(recorded.event, Requested)
        levels.append(recorded.event.queue_level)
    assert levels == [0] * 7 + [1]
    for feed in feeds:
        await gateway.turns.end_stream(feed, ended=True, begun=True)
    for _ in range(8):
        with gateway.turns.joining(TURN):
            feeds.append(await gateway.turns.join_stream(TURN, 0))
    assert gateway.turns.queues.place(requested()) == 0
