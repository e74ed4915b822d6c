"""The feed of one reader, and what it must give of a turn that is told."""

import asyncio

from turnwire_contracts.wire.frames import DONE, KEEP_ALIVE
from turnwire_gateway.api.feed import FrameFeed
from turnwire_gateway.api.frames.backfill import Logs
from turnwire_gateway.api.stream_parts import Chunk
from turnwire_testing.stories import Part, Told
from turnwire_testing.told_turns import ToldTurn

WITHIN_S = 30.0


def long_turn(deltas: int) -> ToldTurn:
    """A turn that tells one message, in deltas of 100,000 letters."""
    parts = (Part("output_text", tuple("x" * 100_000 for _ in range(deltas))),)
    return ToldTurn((Told({"type": "message"}, parts),))


def feed_of(turn: ToldTurn, joins_at: int | None = None) -> FrameFeed:
    """A reader of a turn."""
    logs = Logs(turn.log, turn.output)
    return FrameFeed(logs, turn.request.turn_key, joins_at)


async def rest(feed: FrameFeed) -> bytes:
    """Read to the end; signs of life say nothing."""
    bodies: list[bytes] = []
    async with asyncio.timeout(WITHIN_S):
        while True:
            part = await feed.read()
            assert isinstance(part, Chunk), part
            bodies.append(part.body)
            if part.last:
                await feed.stop()
                return b"".join(bodies).replace(KEEP_ALIVE, b"")


def whole(turn: ToldTurn, start: int = 0) -> bytes:
    """What a reader must have got."""
    return b"".join(turn.frames[start:]) + DONE
