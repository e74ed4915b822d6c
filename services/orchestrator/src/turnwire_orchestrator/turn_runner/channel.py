"""The way out of a turn: frames to those who watch, the answer to the gateway that waits."""

import asyncio
from collections.abc import Iterable

import msgspec
import orjson

from turnwire_chassis.output_log import OutputLog
from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler, write_call_ends
from turnwire_contracts.wire.compaction import answer_object
from turnwire_contracts.wire.frames import FrameMessage, split
from turnwire_contracts.wire.response import error_envelope
from turnwire_contracts.wire.stream import (
    frame_writer,
    is_end,
    rest_of,
    stream_of,
    write_end,
    write_opening,
    write_told,
)
from turnwire_orchestrator.prompting.toolbox import Toolbox
from turnwire_orchestrator.turn_runner.tool_events import ToolAssembler

_CANCELLED_HTTP_STATUS = 499
"""nginx: the client closed the request, so it is not read."""

_MOST_MESSAGE_BYTES = 256 * 1024
_ANNOUNCED_AGAIN_S = (0.05, 0.2, 0.5)
"""After how long a new owner is announced again, if that is not kept."""


class Channel:
    """Writes what one owner of one turn says; only the owner writes."""

    def __init__(self, output: OutputLog, request: Requested, epoch: int) -> None:
        """`epoch` counts the owners; readers trust the newest."""
        self._output = output
        self._request = request
        self._key = request.turn_key
        self._epoch = epoch
        self._frames = frame_writer(request) if request.watched else None
        self._opened = False
        self._held = False
        self.sent: list[FrameMessage] = []

    @property
    def held(self) -> bool:
        """Whether no frames are published, because another owner may have the turn."""
        return self._held

    @property
    def opened(self) -> bool:
        """Whether a client may have seen a frame."""
        return self._opened

    def assembler(
        self, first_index: int, box: Toolbox | None = None, *, shown: bool = True
    ) -> Assembler:
        """Give what gathers the next output, and writes its frames if it is `shown`."""
        frames = self._frames if shown else None
        if box is None:
            return Assembler(self._request.response_id, frames, first_index)
        return ToolAssembler(self._request.response_id, frames, first_index, box)

    async def published(self) -> list[bytes]:
        """Give the frames that are out, as far as they follow one another."""
        if not self._request.watched:
            return []
        return _told(await self._output.read(self._key))

    async def take_over(self) -> list[bytes]:
        """Announce a new owner to readers; give the frames that they may have of former ones.

        Those may go on without knowing that they are lost. What they publish behind the
        announcement no reader listens to, so what is kept when that is kept is all there is.
        """
        frames = await self.published()
        if not self._request.watched:
            return frames
        announcement = FrameMessage("F", self._epoch, len(frames), 0, b"")
        self.sent.append(announcement)
        for wait_s in _ANNOUNCED_AGAIN_S:
            await self._output.publish(self._key, announcement)
            kept = await self._output.read(self._key)
            if announcement in kept:
                return _told(kept)
            await asyncio.sleep(wait_s)
        # The stream of frames has no leader: it keeps no message now.
        return await self.published()

    def end_calls(self, so_far: OutputSoFar) -> None:
        """Write the ends of the calls of the last round."""
        if self._frames is not None and so_far.rounds:
            begun, end = (0, *so_far.rounds)[-2:]
            write_call_ends(self._frames, so_far.items[begun:end], begun)

    async def open(self, instructions: str | None) -> None:
        """Start the stream, once; from here on failures travel inside it."""
        if self._frames is None or self._opened:
            return
        self._opened = True
        write_opening(self._frames, self._request, instructions)
        await self.flush()

    async def resume(self, instructions: str | None, so_far: OutputSoFar, published: int) -> None:
        """Go on where a lost owner stopped: `published` of the frames are out already."""
        if self._frames is None:
            return
        self._opened = True
        write_opening(self._frames, self._request, instructions)
        write_told(self._frames, self._request, so_far)
        _, frames = self._frames.take()
        await self._publish(published, frames[published:])

    async def flush(self) -> None:
        """Send the frames that have gathered, in one message."""
        if self._frames is not None and self._opened:
            await self._publish(*self._frames.take())

    async def end(self, turn: ClosedTurn) -> None:
        """Tell the end of a turn; it must be durable before this is called."""
        failure = turn.closed.failure
        if self._frames is not None and self._opened:
            first, frames = self._frames.take()
            if uses_mcp(self._request):
                # Calls that the turn did not wait for have an end, too; listings that did not come
                # to be durable are not told.
                frames = rest_of(turn, first)
            else:
                write_end(self._frames, turn)
                frames += self._frames.take()[1]
            await self._publish(first, frames, last=True)
        elif failure is not None and not self._request.background:
            await self._refuse(failure)
        elif self._frames is not None:
            # Ended before it began: nothing was seen, so the whole stream is this.
            self._opened = True
            await self._publish(0, stream_of(turn), last=True)
        else:
            cancelled = turn.closed.status == "cancelled"
            status = _CANCELLED_HTTP_STATUS if cancelled else 200
            await self._answer(status, orjson.dumps(answer_object(turn)))

    async def end_again(self, turn: ClosedTurn, published: list[bytes]) -> None:
        """Tell an end that a lost owner may not have told, behind the frames that are out."""
        refused = turn.closed.failure is not None and not self._request.background
        if self._frames is None or (refused and not published):
            await self.end(turn)
            return
        self._opened = True
        end_told = bool(published) and is_end(published[-1])
        rest = rest_of(turn, len(published), end_told=end_told)
        await self._publish(len(published), rest, last=True)

    async def end_lost(self, turn: ClosedTurn, published: int, failure: Failure) -> None:
        """Tell the end of a turn that left nothing to tell: its content was not to be stored."""
        if self._frames is None or not published:
            await self._refuse(failure)
            return
        closed = msgspec.structs.replace(turn.closed, status="failed", failure=failure)
        frames = frame_writer(turn.request, published)
        write_end(frames, ClosedTurn(turn.request, closed))
        await self._publish(published, frames.take()[1], last=True)

    def hold(self) -> None:
        """Publish no frames until `say_again`: another owner may have the turn by now."""
        self._held = True

    async def say_again(self) -> None:
        """Publish everything once more: the broker has lost its memory."""
        self._held = False
        for message in list(self.sent):
            await self._output.publish(self._key, message)

    async def _publish(self, first: int, frames: list[bytes], *, last: bool = False) -> None:
        if not frames:
            return
        if len(frames) > 1 and sum(map(len, frames)) > _MOST_MESSAGE_BYTES:
            # An echo of large tools or instructions stands in several frames: one message each.
            for number, frame in enumerate(frames[:-1], start=first):
                await self._publish(number, [frame])
            await self._publish(first + len(frames) - 1, frames[-1:], last=last)
            return
        message = FrameMessage(
            "E" if last else "F", self._epoch, first, len(frames), b"".join(frames)
        )
        self.sent.append(message)
        if not self._held:
            await self._output.publish(self._key, message)
        elif last:
            # Its end is in the log by the hand of this owner, so no other one has it.
            await self.say_again()

    async def _refuse(self, failure: Failure) -> None:
        body = orjson.dumps(error_envelope(failure))
        await self._answer(failure.http_status, body, failure.retry_after_s or 0)

    async def _answer(self, status: int, body: bytes, retry_after_s: int = 0) -> None:
        message = FrameMessage("A", self._epoch, status, retry_after_s, body)
        if self._request.watched:
            await self._output.publish(self._key, message)
        else:
            await self._output.answer(self._key, message)


def _told(kept: Iterable[FrameMessage]) -> list[bytes]:
    """Give the frames that readers have, as far as they follow one another.

    They listen to no owner older than the newest that they have heard. One that did not know of
    a former one's frames has told others in their place.
    """
    frames: list[bytes] = []
    epoch = newest = 0
    for message in kept:
        newest = max(newest, message.epoch)
        if message.kind == "A" or message.announces_owner or message.epoch < newest:
            continue
        if epoch < message.epoch:
            del frames[message.first :]
        if message.first <= len(frames) < message.end:
            frames += split(message.body)[len(frames) - message.first :]
            epoch = message.epoch
    return frames
