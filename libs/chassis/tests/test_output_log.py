"""What every output log promises; the double in memory keeps the same promises as JetStream."""

import asyncio

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from turnwire_chassis.broker_times import milliseconds
from turnwire_chassis.jetstream.output_log import JetStreamOutputLog
from turnwire_chassis.output_log import OutputLog
from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId, TurnKey
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_testing.examples import TENANT, fresh_id
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.waiting import eventually

WITHIN_S = 30.0


@pytest.fixture(params=["memory", "jetstream"])
def output(request: pytest.FixtureRequest) -> OutputLog:
    if request.param == "memory":
        return MemoryOutputLog()
    return request.getfixturevalue("jetstream_output")


@pytest.fixture
async def jetstream_output(client: Client, jetstream: JetStreamContext) -> JetStreamOutputLog:
    return JetStreamOutputLog(client, jetstream)


@pytest.fixture
def turn() -> TurnKey:
    return TurnKey(TENANT, fresh_id())


class Ear:
    """A watcher that remembers."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self.heard: list[FrameMessage] = []
        self._queue: asyncio.Queue[FrameMessage] = asyncio.Queue()

    def __call__(self, message: FrameMessage) -> None:
        """Hear a message."""
        self.heard.append(message)
        self._queue.put_nowait(message)

    async def next(self) -> FrameMessage:
        """Wait for a message."""
        async with asyncio.timeout(WITHIN_S):
            return await self._queue.get()


def frames(first: int, count: int = 1, kind: str = "F") -> FrameMessage:
    """Some frames; their content does not matter here."""
    assert kind in ("F", "E", "A")
    return FrameMessage(kind, 1, first, count, b"data: x\n\n" * count)


async def kept(output: OutputLog, turn: TurnKey, count: int) -> list[FrameMessage]:
    """Wait until so many messages are kept."""

    async def are_there() -> bool:
        return len(await output.read(turn)) == count

    await eventually(are_there)
    return await output.read(turn)


async def test_frames_are_heard_by_all_who_watch_in_order(output: OutputLog, turn: TurnKey) -> None:
    ears = Ear(), Ear()
    for ear in ears:
        await output.watch(turn, ear)
    told = [frames(0, 2), frames(2), frames(3, 1, "E")]
    for message in told:
        await output.publish(turn, message)
    for ear in ears:
        assert [await ear.next() for _ in told] == told


async def test_frames_are_kept_in_the_order_they_were_written(
    output: OutputLog, turn: TurnKey
) -> None:
    told = [frames(number) for number in range(20)]
    for message in told:
        await output.publish(turn, message)
    assert await kept(output, turn, 20) == told


async def test_what_is_kept_can_be_read_piece_by_piece(output: OutputLog, turn: TurnKey) -> None:
    told = [FrameMessage("F", 1, number, 1, b"x" * 1000) for number in range(7)]
    told += [FrameMessage("E", 2, 7, 1, b"x" * 9000)]
    for message in told:
        await output.publish(turn, message)
    await kept(output, turn, len(told))
    place, pieces = 0, list[list[FrameMessage]]()
    while (piece := await output.read_after(turn, place, 2500)).messages:
        assert piece.newest == told[-1]
        assert piece.place > place
        place, pieces = piece.place, [*pieces, piece.messages]
    assert piece.place == place
    assert [message for piece in pieces for message in piece] == told
    assert [len(piece) for piece in pieces][:2] == [3, 3]


async def test_what_was_read_last_is_found_where_it_was(output: OutputLog, turn: TurnKey) -> None:
    told = [frames(number) for number in range(3)]
    for message in told:
        await output.publish(turn, message)
    await kept(output, turn, 3)
    first = await output.read_after(turn, 0, 1)
    again = await output.read_after(turn, first.place - 1, 1)
    assert (again.messages, again.place) == (first.messages, first.place) == (told[:1], first.place)


async def test_what_is_no_frames_is_left_out(
    jetstream_output: JetStreamOutputLog, client: Client, turn: TurnKey
) -> None:
    ear = Ear()
    await jetstream_output.watch(turn, ear)
    await client.publish(subjects.output(*turn), b"\x00 nothing")
    await jetstream_output.publish(turn, frames(0))
    assert await ear.next() == frames(0)
    assert await kept(jetstream_output, turn, 1) == [frames(0)]
    assert (await jetstream_output.read_after(turn, 0, 1)).messages == []


async def test_who_comes_late_hears_what_follows(output: OutputLog, turn: TurnKey) -> None:
    await output.publish(turn, frames(0))
    await kept(output, turn, 1)
    ear = Ear()
    await output.watch(turn, ear)
    await output.publish(turn, frames(1))
    assert await ear.next() == frames(1)
    assert ear.heard == [frames(1)]


async def test_who_stopped_watching_hears_nothing_more(output: OutputLog, turn: TurnKey) -> None:
    leaver, stayer = Ear(), Ear()
    watch = await output.watch(turn, leaver)
    await output.watch(turn, stayer)
    await watch.stop()
    await watch.stop()
    await output.publish(turn, frames(0))
    await stayer.next()
    assert leaver.heard == []


async def test_watchers_of_one_response_share_what_comes(
    jetstream_output: JetStreamOutputLog, turn: TurnKey
) -> None:
    ears = [Ear() for _ in range(5)]
    listening = [jetstream_output.watch(turn, ear) for ear in ears]
    watches = await asyncio.gather(*listening)
    await jetstream_output.publish(turn, frames(0))
    first = [await ear.next() for ear in ears]
    assert all(each is first[0] for each in first)
    for watch in watches:
        await watch.stop()
    again = Ear()
    await jetstream_output.watch(turn, again)
    await jetstream_output.publish(turn, frames(1))
    assert await again.next() == frames(1)
    assert [ear.heard for ear in ears] == [[frames(0)]] * 5


async def test_who_gives_up_watching_leaves_the_others_theirs(
    jetstream_output: JetStreamOutputLog, turn: TurnKey
) -> None:
    ear = Ear()
    first = asyncio.create_task(jetstream_output.watch(turn, Ear()))
    second = asyncio.create_task(jetstream_output.watch(turn, ear))
    await asyncio.wait({first}, timeout=0)
    first.cancel()
    await second
    await jetstream_output.publish(turn, frames(0))
    assert await ear.next() == frames(0)


async def test_an_answer_reaches_who_waits_for_it_and_is_kept_nowhere(
    output: OutputLog, turn: TurnKey
) -> None:
    waiting, watching = Ear(), Ear()
    await output.await_answer(turn, waiting)
    await output.watch(turn, watching)
    answer = FrameMessage("A", 1, 200, 0, b"{}")
    await output.answer(turn, answer)
    await output.publish(turn, frames(0))
    assert await waiting.next() == answer
    assert await watching.next() == frames(0)
    assert await kept(output, turn, 1) == [frames(0)]
    assert waiting.heard == [answer]


async def test_the_same_id_in_another_tenant_is_another_response(
    output: OutputLog, turn: TurnKey
) -> None:
    others, ear = TurnKey(TenantId("globex"), turn.response_id), Ear()
    await output.watch(turn, ear)
    await output.publish(others, frames(0))
    await output.publish(turn, frames(1))
    assert await ear.next() == frames(1)
    assert await kept(output, others, 1) == [frames(0)]
    await output.forget(others)
    assert await kept(output, turn, 1) == [frames(1)]
    assert await output.read(others) == []


async def test_each_response_has_its_own_frames(output: OutputLog, turn: TurnKey) -> None:
    other, ear = TurnKey(TENANT, fresh_id()), Ear()
    await output.watch(turn, ear)
    await output.publish(other, frames(0))
    await output.publish(turn, frames(1))
    assert await ear.next() == frames(1)
    assert await kept(output, turn, 1) == [frames(1)]
    assert await kept(output, other, 1) == [frames(0)]


async def test_what_was_forgotten_is_gone_and_the_others_stay(
    output: OutputLog, turn: TurnKey
) -> None:
    other = TurnKey(TENANT, fresh_id())
    for name in (turn, other):
        await output.publish(name, frames(0))
        await kept(output, name, 1)
    await output.forget(turn)
    await output.forget(turn)
    assert await output.read(turn) == []
    assert await output.read(other) == [frames(0)]


async def test_nothing_is_kept_of_a_response_that_said_nothing(
    output: OutputLog, turn: TurnKey
) -> None:
    assert await output.read(turn) == []


async def test_a_message_that_the_broker_does_not_take_leaves_a_gap(
    jetstream_output: JetStreamOutputLog, client: Client, turn: TurnKey
) -> None:
    huge = FrameMessage("F", 1, 0, 1, b"x" * client.max_payload)
    await jetstream_output.publish(turn, huge)
    await jetstream_output.publish(turn, frames(1))
    assert await kept(jetstream_output, turn, 1) == [frames(1)]


async def test_when_the_end_was_kept_is_told_while_it_is_kept(
    output: OutputLog, turn: TurnKey
) -> None:
    assert await output.end_kept_at(turn) is None
    await output.publish(turn, frames(0))

    async def is_kept() -> bool:
        return len(await output.read(turn)) == 1

    await eventually(is_kept)
    assert await output.end_kept_at(turn) is None
    await output.publish(turn, frames(1, kind="E"))

    async def has_ended() -> bool:
        return await output.end_kept_at(turn) is not None

    await eventually(has_ended)
    assert milliseconds(await output.end_kept_at(turn) or "") > 0
    await output.forget(turn)

    async def is_gone() -> bool:
        return await output.end_kept_at(turn) is None

    await eventually(is_gone)
