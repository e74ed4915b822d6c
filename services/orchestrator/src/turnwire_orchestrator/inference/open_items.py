"""Items that a backend tells side by side, told to the assembler in an order that clients bear.

Clients can follow a text that ends late, but not the pieces of two calls in turns (langchain-openai
counts a block further whenever `output_index` changes). So, docs/adr/0023: what comes after a call
or a hosted item waits until that has ended; a text that goes on while the next item is told is left
open, and what else it says is told when that one has ended.
"""

from bisect import insort

from turnwire_contracts.events import Item
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.replay import write_item
from turnwire_orchestrator.inference.item_shapes import is_json
from turnwire_orchestrator.inference.open_texts import OpenText, OpenTexts
from turnwire_orchestrator.prompting.client_tools import custom_input

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
        self.head_arguments = ""
        """Arguments that were told with its head; they count if nothing else is told."""
        self.texts = OpenTexts()
        self.said_end: tuple[JSON | None, str] | None = None
        """What its own end told: fields and a status."""
        self.is_told = False
        """Whether all of it is told."""
        self.whole: Item | None = None
        """What is told in one go, once it is known."""
        self.begun = False
        self.number = -1
        self.place = 0
        self._items = items
        self._not_whole = -1
        if kind in _CALLS:
            self.texts.add(kind, None)

    @property
    def arguments(self) -> OpenText:
        """The text of a call."""
        return self.texts.all[0]

    @property
    def waits(self) -> bool:
        """Whether it has ended, or anything of it waits to be told."""
        return self.said_end is not None or self.texts.wait

    @property
    def blocks(self) -> bool:
        """Whether what comes after it must wait."""
        if self.is_told or self.said_end is not None or self.kind in _TEXTS:
            return False
        return self.kind not in _CALLS or self.head is None or not self._is_whole_call()

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
        if self.whole is not None:
            write_item(self._items.assembler, self.whole, [])
            return
        self.texts.end(self._items.assembler)
        self._items.assembler.end_item(said, status)

    def tell(self) -> None:
        """Tell what waits of it, as it is the one that is told."""
        self.texts.tell_to(self._items.assembler)

    def suspend(self) -> None:
        """Leave it open: its texts go on later."""
        self.texts.leave()
        self.number = self._items.assembler.leave()

    def _close_call(self, status: str) -> None:
        text = self.arguments
        text.end_half()
        if not text.said:
            text.fill(self.head_arguments)
        if self.is_custom:
            fields = {"status": status, "input": custom_input(text.said)}
            self.whole = {**(self.head or {}), **fields}
        elif self.kind == "function_call" and status == "completed" and not text.said.strip():
            # Clients read arguments as JSON.
            text.say("{}")

    def _is_whole_call(self) -> bool:
        """Tell whether nothing but white space can follow what was said of a call."""
        text = self.arguments.said
        if self.kind == "custom_tool_call" or len(text) == self._not_whole:
            return False
        if text.rstrip()[-1:] in ("}", "]") and is_json(text):
            return True
        self._not_whole = len(text)
        return False


class OpenItems:
    """The items of one sample, in the order of their places."""

    def __init__(self, assembler: Assembler) -> None:
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
            item.tell()
            return True
        if item.is_told or item.head is None or (item.said_end is None and _is_told_whole(item)):
            return False
        if item.begun and self.current is not None and self.current.said_end is None:
            return False
        earlier = [each for each in self.all[: self.all.index(item)] if not each.is_told]
        if not item.begun:
            if any(each.blocks for each in earlier) or self._is_blocked:
                return False
            for each in earlier:
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
            if not item.is_told and item.waits and item is not self.current:
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
    def are_whole(self) -> bool:
        """Whether something was said, and no call and no hosted item lacks its end."""
        is_said = any(item.texts.said or item.is_told or item.said_end for item in self.all)
        return is_said and not any(item.blocks for item in self.all)

    @property
    def _is_blocked(self) -> bool:
        return self.current is not None and self.current.blocks

    def _is_awaited(self, ended: OpenItem) -> bool:
        """Tell whether anything waits for the end of an item."""
        others = (each for each in self.all if each is not ended and not each.is_told)
        return any(each.waits for each in others)

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
        item.tell()
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
