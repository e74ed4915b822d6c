"""The grammar of a response's output: items in a row, parts inside them, deltas inside those.

An `Assembler` is told what a model says, piece by piece, in no dialect. It gathers
the items and their cuts, and writes the frames if a client may watch. `replay.py` tells it the same
from finished items, so both ways give the same bytes. An item may be left open while others are
told, and ended later (docs/adr/0023): where that happened is kept in `runs`. Sources: OpenAI's
stream events; Open Responses "Streaming" (an item begins with `output_item.added`, texts in parts).
"""

from collections.abc import Sequence

from msgspec import Struct

from turnwire_contracts.events import Item, Run
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire import delta_boundaries
from turnwire_contracts.wire.frames import FrameWriter, delta_prefix
from turnwire_contracts.wire.items import (
    ARGUMENT_FIELDS,
    EVENT_NAMES,
    STREAMED_ITEMS,
    TEXT_FIELDS,
    empty_part,
    opened,
    part_list,
)


class _Left(Struct, frozen=True):
    """What must be known of an open item to go on with it."""

    item: Item
    part: JSON | None
    texts: list[str]
    logprobs: dict[int, list[JSON]]
    delta_event: str
    prefix: bytes
    place: JSON
    steps: int


class Assembler:
    """Builds the output of one response; one item is told at a time, others may be left open."""

    def __init__(
        self, response_id: ResponseId, frames: FrameWriter | None = None, first_index: int = 0
    ) -> None:
        """Write frames to `frames`, none if that is None; number items from `first_index`."""
        self.items: list[Item] = []
        """In the order of their `output_index`; those that are open are not whole yet."""
        self.cuts: list[list[str]] = []
        self.runs: list[Run] = []
        """How items were told that were left open, and those in between; else empty."""
        self._response_id = response_id
        self._frames = frames
        self._first_index = first_index
        self._number = -1
        self._item: Item | None = None
        self._part: JSON | None = None
        self._texts: list[str] = []
        self._logprobs: dict[int, list[JSON]] = {}
        self._delta_event = ""
        self._prefix = b""
        self._place: JSON = {}
        self._left: dict[int, _Left] = {}
        self._steps = 0
        self._steps_before = 0

    @property
    def text(self) -> str:
        """What has been told of the text that streams."""
        return "".join(self._texts)

    @property
    def in_part(self) -> str | None:
        """The kind of part that is open, if one is."""
        return self._part["type"] if self._part is not None else None

    @property
    def in_item(self) -> str | None:
        """The type of the item that is open, if one is."""
        return self._item["type"] if self._item is not None else None

    def add_item(self, head: Item) -> None:
        """Open an item; one that is still open and was not left ends as completed."""
        self.end_item()
        self._number = len(self.items)
        self._steps, self._steps_before = 1, 0
        self._texts, self._logprobs = [], {}
        self._item = opened(head, self._response_id, self._index)
        self.items.append(self._item)
        self.cuts.append([])
        self._event("response.output_item.added", item=self._item)
        kind = self._item["type"]
        if kind in ("mcp_call", "mcp_list_tools"):
            place: JSON = {"item_id": self._item["id"], "output_index": self._index}
            self._event(f"response.{kind}.in_progress", **place)
        if kind in ARGUMENT_FIELDS:
            self._start_text(kind, {"output_index": self._index})

    def leave(self) -> int:
        """Leave the open item open, to tell another; gives the number to `enter` it by."""
        self._left[self._number] = _Left(
            item=self._open_item(),
            part=self._part,
            texts=self._texts,
            logprobs=self._logprobs,
            delta_event=self._delta_event,
            prefix=self._prefix,
            place=self._place,
            steps=self._steps,
        )
        self._end_run()
        self._item = self._part = None
        return self._number

    def is_left(self, number: int) -> bool:
        """Tell whether an item was left open."""
        return number in self._left

    def enter(self, number: int) -> None:
        """Go on with an item that was left; one that is still open is left."""
        if self._item is not None:
            self.leave()
        left = self._left.pop(number)
        self._number, self._item, self._part = number, left.item, left.part
        self._texts, self._logprobs = left.texts, left.logprobs
        self._delta_event, self._prefix, self._place = left.delta_event, left.prefix, left.place
        self._steps = left.steps
        self._steps_before = left.steps + len(left.texts)
        if self.runs[-1][0] == number:
            # Nothing was told meanwhile.
            self._steps_before -= self.runs.pop()[1]

    def end(self, status: str = "completed") -> None:
        """End all items that are open: the one that is told now, then those that were left."""
        self.end_item(None, status)
        for number in sorted(self._left):
            self.enter(number)
            self.end_item(None, status)

    def add_part(self, kind: str) -> None:
        """Open a part of the open item; one that is still open ends."""
        self.end_part()
        item = self._open_item()
        if kind == "summary_text" and item.get("content"):
            # A reasoning item is told again with its summary first, so this is the next one's.
            self.end_item()
            self.add_item({"type": item["type"]})
            item = self._open_item()
        self._part = empty_part(kind)
        self._steps += 1
        place = self._place_of(kind, len(item.setdefault(part_list(kind), [])))
        name = "reasoning_summary_part" if kind == "summary_text" else "content_part"
        self._event(f"response.{name}.added", item_id=item["id"], **place, part=self._part)
        self._start_text(kind, place)

    def delta(self, text: str, logprobs: list[JSON] | None = None) -> None:
        """Take one piece of the text that streams; an empty one says nothing.

        `logprobs` are those of its tokens; only output text has any.
        """
        if logprobs and self.in_part == "output_text":
            self._delta_with(text, logprobs)
        elif text:
            self._texts.append(text)
            if self._frames is not None:
                self._frames.delta(self._prefix, text)

    def end_part(
        self, annotations: list[JSON] | None = None, logprobs: list[JSON] | None = None
    ) -> None:
        """End the open part, if one is; annotations are told together, before the text is done."""
        if self._part is None:
            return
        item, part = self._open_item(), self._part
        kind = part["type"]
        field = part_list(kind)
        token_logprobs = [each for of_delta in self._logprobs.values() for each in of_delta]
        part |= {TEXT_FIELDS[kind]: self._end_text()}
        place = {"item_id": item["id"], **self._place_of(kind, len(item[field]))}
        if kind == "output_text":
            part |= {"annotations": annotations or [], "logprobs": token_logprobs or logprobs or []}
            for index, annotation in enumerate(part["annotations"]):
                self._event(
                    "response.output_text.annotation.added",
                    **place,
                    annotation_index=index,
                    annotation=annotation,
                )
        done = {name: value for name, value in part.items() if name not in ("type", "annotations")}
        self._event(f"{EVENT_NAMES[kind]}.done", **place, **done)
        name = "reasoning_summary_part" if kind == "summary_text" else "content_part"
        self._event(f"response.{name}.done", **place, part=part)
        item[field].append(part)
        self._part = None
        self._steps += 1

    def end_item(self, said: JSON | None = None, status: str = "completed") -> None:
        """End the open item, if one is; `said` are the fields that only its end tells."""
        self.end_part()
        if self._item is None:
            return
        item, kind = self._item, self._item["type"]
        if kind in ARGUMENT_FIELDS:
            field = ARGUMENT_FIELDS[kind]
            item[field] = self._end_text()
            done: JSON = {"item_id": item["id"], "output_index": self._index, field: item[field]}
            self._event(f"{EVENT_NAMES[kind]}.done", **done, **_named(item))
        if kind != "mcp_call":
            self._tell_end(item, said or {}, status)
        elif status != "completed":
            item["status"] = status
        self._steps += 1
        if self._left or self._steps_before:
            self._end_run()
        self._item = None

    def end_calls(self, items: list[Item], first_index: int) -> None:
        """Tell the ends of the calls among `items`, of which the first is output `first_index`.

        A call of an MCP tool ends when its round does: all ends are told together, in their order.
        """
        if self._frames is not None:
            write_call_ends(self._frames, items, first_index)

    def _tell_end(self, item: Item, last_fields: JSON, status: str) -> None:
        if item["type"] in STREAMED_ITEMS and "status" in item:
            item["status"] = status
        item |= last_fields
        if item["type"] == "mcp_list_tools":
            ending = "failed" if item.get("error") else "completed"
            place: JSON = {"item_id": item["id"], "output_index": self._index}
            self._event(f"response.mcp_list_tools.{ending}", **place)
        self._event("response.output_item.done", item=item)

    @property
    def _index(self) -> int:
        return self._first_index + self._number

    def _end_run(self) -> None:
        steps = self._steps + len(self._texts)
        self.runs.append((self._number, steps - self._steps_before))

    def _open_item(self) -> Item:
        if self._item is None:
            raise ValueError("a part needs an open item")
        return self._item

    def _place_of(self, kind: str, index: int) -> JSON:
        field = "summary_index" if kind == "summary_text" else "content_index"
        return {"output_index": self._index, field: index}

    def _start_text(self, kind: str, place: JSON) -> None:
        self._texts, self._logprobs = [], {}
        if self._frames is not None:
            self._delta_event, self._place = f"{EVENT_NAMES[kind]}.delta", place
            constant: JSON = {"logprobs": []} if kind == "output_text" else {}
            item_id = self._open_item()["id"]
            self._prefix = delta_prefix(self._delta_event, item_id, place | constant)

    def _delta_with(self, text: str, logprobs: list[JSON]) -> None:
        self._logprobs[len(self._texts)] = logprobs
        self._texts.append(text)
        if self._frames is not None:
            bare = delta_prefix(self._delta_event, self._open_item()["id"], self._place)
            self._frames.delta(bare, text, logprobs)

    def _end_text(self) -> str:
        carried: list[int] = []
        if self._logprobs:
            carried = [len(self._logprobs.get(each, ())) for each in range(len(self._texts))]
        self._steps += len(self._texts)
        self.cuts[self._number].append(delta_boundaries.written(map(len, self._texts), carried))
        text, self._texts, self._logprobs = "".join(self._texts), [], {}
        return text

    def _event(self, kind: str, **fields: object) -> None:
        if self._frames is None:
            return
        if kind.startswith("response.output_item."):
            fields = {"output_index": self._index, **fields}
        self._frames.event(kind, fields)


def write_call_ends(frames: FrameWriter, items: Sequence[Item], first_index: int) -> None:
    """Write the ends of the calls of MCP tools among `items`."""
    for index, item in enumerate(items, start=first_index):
        if item["type"] == "mcp_call":
            ending = "completed" if item.get("status") == "completed" else "failed"
            place: JSON = {"item_id": item["id"], "output_index": index}
            frames.event(f"response.mcp_call.{ending}", place)
            frames.event("response.output_item.done", {"output_index": index, "item": item})


def _named(item: Item) -> JSON:
    """OpenAI: the end of a function's arguments names the function; of others it does not."""
    return {} if item["type"] == "mcp_call" else {"name": item.get("name") or ""}
