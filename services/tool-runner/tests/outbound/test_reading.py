"""The sizes of answers and of events in them, however they are cut into parts."""

from collections.abc import AsyncIterator
from itertools import pairwise

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_tool_runner.outbound.reading import BoundedStream, ReadLimits, TooLarge

LIMITS = ReadLimits(body=10_000, stream=1_000_000, event=40)


class Parts(httpx2.AsyncByteStream):
    """A body that comes in these parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give them, and count."""
        for part in self.parts:
            self.given += 1
            yield part


async def read(parts: list[bytes], limits: ReadLimits = LIMITS, *, events: bool) -> bytes:
    stream = BoundedStream(Parts(parts), limits, events=events)
    return b"".join([part async for part in stream])


lines = st.sampled_from([b"data: x", b"event: message", b": ping", b"id: 7", b"data:"])
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Draw a stream of small events, cut anywhere."""
    end = draw(ends)
    events = draw(st.lists(st.lists(lines, min_size=1, max_size=2), max_size=20))
    whole = b"".join(end.join((*event, b"", b"")) for event in events)
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    places = [0, *cuts, len(whole)]
    return [whole[a:b] for a, b in pairwise(places)]


@given(streams())
async def test_small_events_pass_unchanged_wherever_they_are_cut(parts: list[bytes]) -> None:
    assert await read(parts, events=True) == b"".join(parts)


@given(streams(), st.binary(min_size=41, max_size=60).filter(lambda b: not set(b) & {10, 13}))
async def test_a_large_event_is_noticed_wherever_it_stands(
    before: list[bytes], large: bytes
) -> None:
    with pytest.raises(TooLarge, match="One event"):
        await read([*before, *(large[i : i + 1] for i in range(len(large)))], events=True)


async def test_an_answer_that_is_no_stream_has_no_events() -> None:
    assert await read([b"x" * 9_000], events=False) == b"x" * 9_000
    with pytest.raises(TooLarge, match="answer"):
        await read([b"x" * 10_001], events=False)


async def test_many_small_parts_count_as_larger_ones() -> None:
    parts = Parts([b"x"] * 1000)
    with pytest.raises(TooLarge):
        async for _ in BoundedStream(parts, LIMITS, events=False):
            pass
    assert parts.given == 10_000 // 256 + 1
