"""Items that a backend tells side by side, told to the assembler in an order that clients bear.

Clients can follow a text that ends late, but not the pieces of two calls in turns (langchain-openai
counts a block further whenever `output_index` changes). So, docs/adr/0023: what comes after a call
or a hosted item waits until that has ended; a text that goes on while the next item is told is left
open, and what else it says is told when that one has ended.
"""

from bisect import insort
from typing import Any

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.replay import write_item
from turnwire_orchestrator.inference.arguments import is_json
from turnwire_orchestrator.inference.surrogates import REPLACEMENT, joined
from turnwire_orchestrator.prompting.tools.client_tools import custom_input

_TEXTS = frozenset({"message", "reasoning"})
_CALLS = frozenset({"function_call", "custom_tool_call", "mcp_call"})


class OpenItem:
    """One item that a backend tells; what it says waits until it can be told."""

    def __init__(self, items: "OpenItems", kind: str, head: Item | None) -> None:
        """`head`: what is known of it when it begins; `None`: its name is not known yet."""
        self.kind = kind
        self.head = head
        self.is_custom = False
        """Whether it is a function's call that stands for a custom tool's: told when whole."""
        self.ends_with_next = False
        """Whether it has no end of its own, so that it ends where the next item begins."""
        self.known = ""
        """Arguments that were told with its head; they count if nothing else is told."""
        self.part: str | None = None
        self.parts = 0
        self.annotations: list[JSON] = []
        self.said_end: tuple[JSON | None, str] | None = None
        """What its own end told: fields and a status."""
        self.is_told = False
        """Whether all of it is told."""
        self.whole: Item | None = None
        """What is told in one go, once it is known."""
        self.begun = False
        self.number = -1
        self.place = 0
        self.waiting: list[tuple[str, tuple[Any, ...]]] = []
        self.texts: list[str] = []
        self._part_end: tuple[list[JSON], list[JSON] | None] | None = None
        self._items = items
        self._half = ""
        self._not_whole = -1

    @property
    def text(self) -> str:
        """What it has said in its open part, or as arguments."""
        return self._items.assembler.text if self._is_current else "".join(self.texts)

    @property
    def has_half(self) -> bool:
        """Whether half a character waits for its other half."""
        return bool(self._half)

    @property
    def blocks(self) -> bool:
        """Whether what comes after it must wait."""
        if self.is_told or self.said_end is not None or self.kind in _TEXTS:
            return False
        return self.kind not in _CALLS or self.head is None or not self._is_whole_call()

    @property
    def _is_current(self) -> bool:
        return self._items.current is self

    def add_part(self, kind: str) -> None:
        """Begin a part; the one before it ends."""
        self.end_part()
        self.part, self.parts, self.texts = kind, self.parts + 1, []
        self._tell("add_part", kind)

    def say(self, text: str, logprobs: list[JSON] | None = None) -> None:
        """Say a piece of the open part or of the arguments."""
        if self._half or not text.isascii():
            text, self._half = joined(self._half + text)
        if self.is_custom or not self._is_current:
            self.texts.append(text)
        if not self.is_custom and (text or logprobs):
            self._tell("delta", text, logprobs)

    def fill(self, whole: str) -> None:
        """Say what is missing of a text that is known as a whole; what contradicts it stays."""
        told = self.text
        if len(whole) > len(told) and whole.startswith(told):
            self._half = ""
            self.say(whole[len(told) :])

    def note_part_end(self, annotations: list[JSON], logprobs: list[JSON] | None) -> None:
        """Keep what the end of the open part told: a fuller text may still come."""
        self._part_end = (annotations or self.annotations, logprobs)

    def end_part(self) -> None:
        """End the open part, if there is one."""
        if self.part is None:
            return
        self._end_half()
        annotations, logprobs = self._part_end or (self.annotations, None)
        self._part_end, self.annotations = None, []
        self._tell("end_part", annotations, logprobs)
        self.part, self.texts = None, []

    def end(self, said: JSON | None = None, status: str = "completed") -> None:
        """Take its own end."""
        self.said_end = said, status
        self._items.ended(self)

    def close(self, status: str) -> None:
        """Tell its end: its own, or that of the turn, which is `status`."""
        said, status = self.said_end or (None, status)
        if self.kind in _CALLS:
            self._close_call(status)
        elif self.kind not in _TEXTS and self.whole is None:
            head = self.head or {}
            self.whole = head | ({"status": status} if "status" in head else {})
        self.end_part()
        if self.whole is not None:
            write_item(self._items.assembler, self.whole, [])
        else:
            self._items.assembler.end_item(said, status)

    def suspend(self) -> None:
        """Leave it open: its text goes on later."""
        if self._part_end is not None:
            self.end_part()
        self.texts = [self._items.assembler.text] if self.part else []
        self.number = self._items.assembler.leave()

    def _close_call(self, status: str) -> None:
        self._end_half()
        if not self.text:
            self.fill(self.known)
        if self.is_custom:
            told = {"status": status, "input": custom_input(self.text)}
            self.whole = {**(self.head or {}), **told}
        elif self.kind == "function_call" and status == "completed" and not self.text.strip():
            # Clients read arguments as JSON.
            self.say("{}")
        self.texts = [self.text]

    def _end_half(self) -> None:
        if self._half:
            self._half = ""
            self.say(REPLACEMENT)

    def _is_whole_call(self) -> bool:
        """Tell whether nothing but white space can follow what was said of a call."""
        text = self.text
        if self.kind == "custom_tool_call" or len(text) == self._not_whole:
            return False
        if text.rstrip()[-1:] in ("}", "]") and is_json(text):
            return True
        self._not_whole = len(text)
        return False

    def _tell(self, name: str, *said: Any) -> None:
        if self._is_current:
            getattr(self._items.assembler, name)(*said)
        else:
            self.waiting.append((name, said))


class OpenItems:
    """The items of one sample, in the order of their places."""

    def __init__(self, assembler: Assembler) -> None:
        """Tell `assembler`."""
        self.assembler = assembler
        self.current: OpenItem | None = None
        """The item that is told as it comes."""
        self.all: list[OpenItem] = []

    def add(self, kind: str, head: Item | None, place: int | None = None) -> OpenItem:
        """Add an item that begins; without a place it stands behind those before it."""
        item = OpenItem(self, kind, head)
        item.place = (self.all[-1].place if self.all else 0) if place is None else place
        insort(self.all, item, key=lambda each: each.place)
        return item

    def show(self, item: OpenItem) -> bool:
        """Tell an item as it comes from now on, unless it must wait; tells whether it is so."""
        if item is self.current:
            return True
        if item.is_told or item.head is None or (item.said_end is None and _is_told_whole(item)):
            return False
        if item.begun and self.current is not None and self.current.said_end is None:
            return False
        before = [each for each in self.all[: self.all.index(item)] if not each.is_told]
        if not item.begun:
            if any(each.blocks for each in before) or self._is_blocked:
                return False
            for each in before:
                if not each.begun:
                    self._go_to(each)
        self._go_to(item)
        return item is self.current

    def ended(self, item: OpenItem) -> None:
        """Hear that the backend has ended an item."""
        if item is not self.current:
            self.show(item)
        elif item.kind in _CALLS or self._is_awaited(item):
            self._close(item)
        self.advance()

    def advance(self) -> None:
        """Tell what waited, as far as it may be told now."""
        for item in tuple(self.all):
            if not item.is_told and (item.waiting or item.said_end) and item is not self.current:
                self.show(item)

    def settle(self) -> None:
        """Tell the end of an item that has ended by itself: nothing more can come of it."""
        if self.current is not None and self.current.said_end is not None:
            self._close(self.current)

    def end(self, status: str) -> None:
        """End what is open with the turn, which ends as `status`.

        Raises `ValueError` for a call without a name in a turn that ends well.
        """
        if self.current is not None:
            self._close(self.current, status)
        for item in self.all:
            if item.is_told:
                continue
            if item.head is None:
                if status == "completed":
                    raise ValueError("a call without a name")
                item.is_told = True
                continue
            self._go_to(item, status)
            if self.current is not None:
                self._close(item, status)

    @property
    def _is_blocked(self) -> bool:
        return self.current is not None and self.current.blocks

    def _is_awaited(self, ended: OpenItem) -> bool:
        """Tell whether anything waits for the end of an item."""
        others = (each for each in self.all if each is not ended and not each.is_told)
        return any(each.waiting or each.said_end for each in others)

    def _go_to(self, item: OpenItem, status: str = "completed") -> None:
        """Make an item the one that is told, and tell what it has said meanwhile."""
        if self.current is not None:
            self._leave(self.current)
        if _is_told_whole(item):
            self._close(item, status)
            return
        if item.begun:
            self.assembler.enter(item.number)
        else:
            self.assembler.add_item(item.head or {})
        self.current, item.begun = item, True
        waiting, item.waiting = item.waiting, []
        for name, said in waiting:
            getattr(self.assembler, name)(*said)
        if item.said_end is not None and (item.kind in _CALLS or self._is_awaited(item)):
            self._close(item)

    def _leave(self, item: OpenItem) -> None:
        if item.said_end is None and not item.ends_with_next and item.kind in _TEXTS:
            item.suspend()
            self.current = None
        else:
            self._close(item)

    def _close(self, item: OpenItem, status: str = "completed") -> None:
        item.close(status)
        item.is_told, item.begun = True, True
        self.current = None


def _is_told_whole(item: OpenItem) -> bool:
    return item.is_custom or item.whole is not None or item.kind not in _TEXTS | _CALLS
