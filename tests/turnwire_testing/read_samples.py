"""A turn of one sample that is read from a backend, watched and closed."""

import asyncio
from collections.abc import Callable, Iterable

import orjson

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.items import parts_of
from turnwire_contracts.wire.stream import frame_writer, stream_of, write_end, write_opening
from turnwire_orchestrator.guarding.output_buffer import HeldAssembler, OutputBuffer, Violations
from turnwire_orchestrator.inference.reading import Reader
from turnwire_orchestrator.ports import StreamReader
from turnwire_testing.examples import RESPONSE_ID, closed, requested
from turnwire_testing.stream_grammar import check_stream


def responses_reader(assembler: Assembler) -> StreamReader:
    """Read the Responses API."""
    return Reader(assembler, None)


class Live:
    """A turn whose only sample is read, watched and closed."""

    def __init__(
        self,
        events: Iterable[JSON | bytes],
        reader_of: Callable[[Assembler], StreamReader] = responses_reader,
        *,
        held: bool = False,
    ) -> None:
        """Read `events`; `held`: what they say is judged before it is shown."""
        request = requested(stream=True)
        self.writer = frame_writer(request)
        write_opening(self.writer, request, None)
        self.assembler = Assembler(RESPONSE_ID, self.writer)
        told: Assembler = self.assembler
        back: OutputBuffer | None = None
        if held:
            told = HeldAssembler(RESPONSE_ID, Assembler(RESPONSE_ID))
            back = OutputBuffer(told, self.assembler, _nothing)
        reader = reader_of(told)
        for event in events:
            reader.take(event if isinstance(event, bytes) else orjson.dumps(event))
            if back is not None:
                asyncio.run(back.pass_on())
        self.outcome = reader.end()
        if back is not None:
            asyncio.run(back.pass_on())
        self.items: list[Item] = self.assembler.items
        told_end = {"status": self.outcome.status, "failure": self.outcome.failure}
        ending = closed(
            output=self.items,
            cuts=self.assembler.cuts,
            runs=self.assembler.runs,
            **{**told_end, "usage": None},
        )
        turn = fold([request, ending])
        assert isinstance(turn, ClosedTurn)
        self.turn = turn
        write_end(self.writer, turn)
        self.frames = self.writer.take()[1]

    @property
    def events(self) -> list[JSON]:
        """What clients see."""
        return [payload(frame) for frame in self.frames]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """The types, texts and statuses of the items."""
        return [(item["type"], _text(item), item.get("status", "")) for item in self.items]

    @property
    def deltas(self) -> list[str]:
        """Every delta that clients see."""
        return [event["delta"] for event in self.events if event["type"].endswith(".delta")]

    @property
    def said(self) -> list[JSON]:
        """The items without our ids."""
        return [
            {name: value for name, value in item.items() if name not in ("id", "call_id")}
            for item in self.items
        ]

    def check(self) -> None:
        """Check that the stream is well-formed, and written again byte for byte."""
        check_stream(self.events)
        assert stream_of(self.turn) == self.frames


async def _nothing(text: str, shown: str) -> Violations:
    del text, shown
    return []


def _text(item: Item) -> str:
    texts = [part.get("text") or part.get("refusal") or "" for part in parts_of(item)]
    return item.get("arguments") or item.get("input") or "".join(texts)
