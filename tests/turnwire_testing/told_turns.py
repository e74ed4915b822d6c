"""A turn that is told by hand: its log, its frames, and what an orchestrator would publish."""

from turnwire_chassis.event_log import EventLog
from turnwire_chassis.memory.event_log import MemoryEventLog
from turnwire_chassis.memory.output_log import MemoryOutputLog, MemoryWatch
from turnwire_chassis.output_log import Watcher
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.turn import ClosedTurn, fold
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameMessage
from turnwire_contracts.wire.stream import stream_of
from turnwire_testing.examples import closed, requested
from turnwire_testing.stories import Part, Story, Told, tell

HELLO: Story = (Told({"type": "message"}, (Part("output_text", ("Hel", "lo", " there.")),)),)


class LossyOutput(MemoryOutputLog):
    """Keeps everything and lets live watchers miss what a test wants them to."""

    def __init__(self) -> None:
        """Lose nothing."""
        super().__init__()
        self.unheard: set[int] = set()
        """Numbers of the first frames of messages that no watcher hears."""

    async def watch(self, turn: TurnKey, watcher: Watcher) -> MemoryWatch:
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
