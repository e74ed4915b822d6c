"""A new owner announces itself, and what a lost one tells behind that counts no more."""

import pytest

from scripted_backend import says
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.turn_runner.channel import Channel
from turnwire_testing.examples import TURN
from turnwire_testing.held_streams import lose_owner
from turnwire_testing.memory_output_log import MemoryOutputLog
from turnwire_testing.orchestration import World
from turnwire_testing.samples import events_of


@pytest.fixture
async def world() -> World:
    return World()


class WakingOutput(MemoryOutputLog):
    """An output on which a lost owner goes on, before and behind its successor's announcement."""

    def __init__(self) -> None:
        """Let nobody go on yet."""
        super().__init__()
        self.before: list[FrameMessage] = []
        self.behind: list[FrameMessage] = []

    async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
        """See `OutputLog.publish`."""
        before, behind = (self.before, self.behind) if message.announces_owner else ([], [])
        for each in (*before, message, *behind):
            await super().publish(turn, each)


@pytest.mark.parametrize("woke", [0, 1, 2])
async def test_what_a_lost_owner_tells_behind_the_announcement_of_the_next_is_not_counted(
    world: World, woke: int
) -> None:
    """Found by the simulation (r1t1f4s8084): a frozen owner woke up and went on telling."""
    told = events_of(says("Good ", "old ", "day."))
    elsewhere = World()
    elsewhere.backend.plays(*told)
    await elsewhere.run(request := await elsewhere.request(stream=True))
    world.output = output = WakingOutput()
    await lose_owner(world, await world.request(stream=True), *told[:5])
    known = len(await world.frames(request))
    late = [
        message
        for message in await elsewhere.output.read(TURN)
        if message.kind == "F" and message.first >= known
    ]
    output.before, output.behind = late[:woke], late[woke:]
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    first, second = (await world.closed(request)).output
    assert first["content"][0]["text"] == "".join(("Good ", "old ", "day.")[: woke + 1])
    assert second["content"][0]["text"] == "Good day."
    seen = await Channel(output, request, 3).published()
    assert seen == stream_of(await world.closed(request))


async def test_a_new_owner_that_finds_no_frames_has_none_before_its_own(world: World) -> None:
    """The broker may have lost what the first one told: readers of that are told so."""
    request = await world.request(stream=True)
    for epoch, first, word in ((1, 0, b"a"), (1, 1, b"b"), (1, 2, b"c"), (2, 1, b"d")):
        message = FrameMessage("F", epoch, first, 1, b"data: %b\n\n" % word)
        await world.output.publish(TURN, message)
    published = await Channel(world.output, request, 3).published()
    assert published == [b"data: a\n\n", b"data: d\n\n"]


async def test_an_announcement_that_is_not_kept_is_made_again(world: World) -> None:
    """The stream of frames may be without a leader for a moment."""

    class LeaderlessOutput(MemoryOutputLog):
        lost = 2

        async def publish(self, turn: TurnKey, message: FrameMessage) -> None:
            self.lost -= message.announces_owner
            if not message.announces_owner or self.lost < 0:
                await super().publish(turn, message)

    world.output = LeaderlessOutput()
    request = await world.request(stream=True)
    await lose_owner(world, request, *events_of(says("Hel", "lo"))[:5])
    world.backend.plays(*events_of(says("Good day.")))
    await world.run(request, attempt=2, claim="second")
    announced = [each.epoch for each in await world.output.read(TURN) if each.announces_owner]
    assert announced == [2]
    assert await world.frames(request) == stream_of(await world.closed(request))
