"""The grammar of a response's output: items in a row, parts inside them, deltas inside those.

An `Assembler` is told what a model says, piece by piece, whatever dialect it came in. It gathers
the finished items and their cuts, and writes the frames if anybody may watch. `write_again` tells
it the same story from finished items, so both ways give the same bytes.

Sources: OpenAI's stream events; Open Responses "Streaming" (the first event of an item is
`output_item.added`, every streamed content has a part).
"""

from collections.abc import Sequence
from itertools import islice

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON, objects
from turnwire_contracts.wire import cuts
from turnwire_contracts.wire.frames import FrameWriter, delta_prefix
from turnwire_contracts.wire.items import (
    ARGUMENT_FIELDS,
    TEXT_FIELDS,
    empty_part,
    opened,
    part_list,
    parts_of,
    said_at_the_end,
)

_EVENTS = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
    "summary_text": "response.reasoning_summary_text",
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
    "mcp_call": "response.mcp_call_arguments",
}
"""What streams, and how its `.delta` and `.done` events are called."""


class Assembler:
    """Builds the output of one response; at most one item and one part are open at a time."""

    def __init__(
        self, response_id: ResponseId, frames: FrameWriter | None = None, first_index: int = 0
    ) -> None:
        """Write frames to `frames`, none if that is None; number items from `first_index`."""
        self.items: list[Item] = []
        self.cuts: list[list[str]] = []
        self._response_id = response_id
        self._frames = frames
        self._first_index = first_index
        self._item: Item | None = None
        self._part: JSON | None = None
        self._texts: list[str] = []
        self._logprobs: dict[int, list[JSON]] = {}
        self._delta_event = ""
        self._prefix = b""
        self._place: JSON = {}

    @property
    def in_part(self) -> str | None:
        """The kind of part that is open, if one is."""
        return self._part["type"] if self._part is not None else None

    @property
    def in_item(self) -> str | None:
        """The type of the item that is open, if one is."""
        return self._item["type"] if self._item is not None else None

    def add_item(self, head: Item) -> None:
        """Open an item; one that is still open ends as completed."""
        self.end_item()
        self._item = opened(head, self._response_id, self._index)
        self.cuts.append([])
        self._event("response.output_item.added", item=self._item)
        kind = self._item["type"]
        if kind in ("mcp_call", "mcp_list_tools"):
            place: JSON = {"item_id": self._item["id"], "output_index": self._index}
            self._event(f"response.{kind}.in_progress", **place)
        if kind in ARGUMENT_FIELDS:
            self._start_text(kind, {"output_index": self._index})

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
        told = [each for of_delta in self._logprobs.values() for each in of_delta]
        part |= {TEXT_FIELDS[kind]: self._end_text()}
        place = {"item_id": item["id"], **self._place_of(kind, len(item[field]))}
        if kind == "output_text":
            part |= {"annotations": annotations or [], "logprobs": told or logprobs or []}
            for index, annotation in enumerate(part["annotations"]):
                self._event(
                    "response.output_text.annotation.added",
                    **place,
                    annotation_index=index,
                    annotation=annotation,
                )
        done = {name: value for name, value in part.items() if name not in ("type", "annotations")}
        self._event(f"{_EVENTS[kind]}.done", **place, **done)
        name = "reasoning_summary_part" if kind == "summary_text" else "content_part"
        self._event(f"response.{name}.done", **place, part=part)
        item[field].append(part)
        self._part = None

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
            self._event(f"{_EVENTS[kind]}.done", **done, **_named(item))
        if kind != "mcp_call":
            self._tell_end(item, said or {}, status)
        elif status != "completed":
            item["status"] = status
        self.items.append(item)
        self._item = None

    def end_calls(self, items: list[Item], first_index: int) -> None:
        """Tell the ends of the calls among `items`, of which the first is output `first_index`.

        A call of an MCP tool ends when its round does: all ends are told together, in their order.
        """
        if self._frames is not None:
            write_call_ends(self._frames, items, first_index)

    def _tell_end(self, item: Item, said: JSON, status: str) -> None:
        if "status" in item:
            item["status"] = status
        item |= said
        if item["type"] == "mcp_list_tools":
            ending = "failed" if item.get("error") else "completed"
            place: JSON = {"item_id": item["id"], "output_index": self._index}
            self._event(f"response.mcp_list_tools.{ending}", **place)
        self._event("response.output_item.done", item=item)

    @property
    def _index(self) -> int:
        return self._first_index + len(self.items)

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
            self._delta_event, self._place = f"{_EVENTS[kind]}.delta", place
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
        self.cuts[-1].append(cuts.written(map(len, self._texts), carried))
        text, self._texts, self._logprobs = "".join(self._texts), [], {}
        return text

    def _event(self, kind: str, **fields: object) -> None:
        if self._frames is None:
            return
        if kind.startswith("response.output_item."):
            fields = {"output_index": self._index, **fields}
        self._frames.event(kind, fields)


def write_again(
    assembler: Assembler,
    items: list[Item],
    item_cuts: list[list[str]],
    rounds: Sequence[int] = (),
) -> None:
    """Tell `assembler` items as they were told when they were made.

    `rounds`: after how many of them the ends of the calls before were told.
    """
    begun = 0
    for number, item in enumerate(items):
        known = item_cuts[number] if number < len(item_cuts) else []
        write_item(assembler, item, known)
        if number + 1 in rounds:
            assembler.end_calls(items[begun : number + 1], begun)
            begun = number + 1


def write_call_ends(frames: FrameWriter, items: Sequence[Item], first_index: int) -> None:
    """Write the ends of the calls of MCP tools among `items`."""
    for index, item in enumerate(items, start=first_index):
        if item["type"] == "mcp_call":
            ending = "completed" if item.get("status") == "completed" else "failed"
            place: JSON = {"item_id": item["id"], "output_index": index}
            frames.event(f"response.mcp_call.{ending}", place)
            frames.event("response.output_item.done", {"output_index": index, "item": item})


def write_item(assembler: Assembler, item: Item, known: list[str]) -> None:
    """Tell `assembler` one finished item; `known` are the cuts of its texts, if it has any."""
    assembler.add_item(item)
    if item["type"] in ARGUMENT_FIELDS:
        _write_text(assembler, item.get(ARGUMENT_FIELDS[item["type"]]), known, 0)
    for index, part in enumerate(parts_of(item)):
        assembler.add_part(part["type"])
        logprobs = objects(part.get("logprobs"))
        _write_text(assembler, part.get(TEXT_FIELDS[part["type"]]), known, index, logprobs)
        assembler.end_part(part.get("annotations"), logprobs)
    assembler.end_item(said_at_the_end(item), item.get("status") or "completed")


def _named(item: Item) -> JSON:
    """OpenAI: the end of a function's arguments names the function; of others it does not."""
    return {} if item["type"] == "mcp_call" else {"name": item.get("name") or ""}


def _write_text(
    assembler: Assembler,
    text: object,
    known: list[str],
    index: int,
    logprobs: Sequence[JSON] = (),
) -> None:
    # A backend may leave a text out that its item needs.
    whole, rest = text if isinstance(text, str) else "", iter(logprobs)
    for delta, count in cuts.split(whole, known[index] if index < len(known) else ""):
        assembler.delta(delta, list(islice(rest, count)))
