"""A turn that is told by hand: its log, its frames, and what an orchestrator would publish."""

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.output_log import Watcher
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing.examples import closed, requested
from turnwire_testing.memory_event_log import MemoryEventLog
from turnwire_testing.memory_output_log import MemoryFrameSubscription, MemoryOutputLog
from turnwire_testing.stories import Part, Story, Told, tell

HELLO: Story = (Told({"type": "message"}, (Part("output_text", ("Hel", "lo", " there.")),)),)


class LossyOutput(MemoryOutputLog):
    """Lets live watchers miss what a test wants them to, and forgets what it wants to be lost."""

    def __init__(self) -> None:
        """Lose nothing."""
        super().__init__()
        self.unheard: set[int] = set()
        """Numbers of the first frames of messages that no watcher hears."""
        self.unkept: set[int] = set()
        """The same of messages that are not kept."""

    async def read(self, turn: TurnKey) -> list[FrameMessage]:
        """See `OutputLog.read`; what was lost and told again stands where it was told again."""
        lost = set(self.unkept)
        kept: list[FrameMessage] = []
        for message in await super().read(turn):
            if message.first in lost:
                lost.remove(message.first)
            else:
                kept.append(message)
        return kept

    async def watch(self, turn: TurnKey, watcher: Watcher) -> MemoryFrameSubscription:
        """See `OutputLog.watch`."""

        def hear(message: FrameMessage) -> None:
            if message.first not in self.unheard:
                watcher(message)

        return await super().watch(turn, hear)


class ToldTurn:
    """A streamed turn whose frames a test publishes as it likes."""

    def __init__(self, story: Story = HELLO, **changes: object) -> None:
        """Tell a story; nothing is published or in the log yet."""
        self.request: Requested = requested(stream=True, **changes)
        assembler = Assembler(self.request.response_id)
        tell(assembler, story)
        self.closed = closed(
            response_id=self.request.response_id, output=assembler.items, cuts=assembler.cuts
        )
        turn = fold([self.request, self.closed])
        assert isinstance(turn, ClosedTurn)
        self.frames = stream_of(turn)
        self.log: EventLog = MemoryEventLog()
        self.output = LossyOutput()

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.frames)

    def message(self, first: int, end: int, epoch: int = 1) -> FrameMessage:
        """Join the frames from `first` up to `end`."""
        kind = "E" if end == self.count else "F"
        body = b"".join(self.frames[first:end])
        return FrameMessage(kind, epoch, first, end - first, body)

    async def say(self, first: int, end: int, epoch: int = 1) -> None:
        """Publish some frames."""
        await self.output.publish(self.request.turn_key, self.message(first, end, epoch))

    async def end(self) -> None:
        """Put the whole turn into the log."""
        await self.log.append(self.request, None)
        await self.log.append(self.closed, None)
