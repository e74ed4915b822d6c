"""Which of the items of a sample an event is about, by whatever its backend names them."""

from collections.abc import Iterator, Sequence
from typing import Any

from turnwire_contracts.events import Item
from turnwire_contracts.wire.texts import texts
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems


class ItemNames:
    """Finds items by id, by `output_index`, or as the last of their kind."""

    def __init__(self, items: OpenItems) -> None:
        """Name the items in `items`."""
        self._items = items
        self._by_id: dict[str, OpenItem] = {}
        self._by_index: dict[int, OpenItem] = {}
        self._last: dict[str, OpenItem] = {}
        self._named_often: set[str] = set()
        self._done: list[Item] = []

    @staticmethod
    def is_indexed(index: Any) -> bool:
        """Tell whether an event has an `output_index`."""
        return isinstance(index, int)

    def add(self, kind: str, head: Item | None, name: str, index: Any) -> OpenItem:
        """Add an item that begins."""
        item = self._items.add(kind, head, index if self.is_indexed(index) else None)
        self._bind(item, name, index)
        self._last[kind] = item
        return item

    def find(self, name: str, index: Any, kind: str) -> OpenItem | None:
        """Give the item that an event is about, if it is known."""
        if name in self._by_id:
            self._named_often.add(name)
            return self._by_id[name]
        item = self._by_index.get(index) if self.is_indexed(index) else None
        if item is None and not self.is_indexed(index):
            item = self._last.get(kind)
            if item is not None and name and not self._named_often.isdisjoint(self._names(item)):
                return None
        if item is None or item.kind != kind or item.is_told or item.said_end is not None:
            return None
        return item

    def find_added(self, name: str, index: Any, kind: str) -> OpenItem | None:
        """Give the item that begins, if something of it is known already."""
        item = self._by_id.get(name)
        if item is not None and item.kind == kind and not item.is_told:
            self._bind(item, name, index)
            return item if item.said_end is None else None
        item = self._by_index.get(index) if self.is_indexed(index) else self._last.get(kind)
        if item is None or item.kind != kind or item.is_told or item.said_end is not None:
            return None
        is_same = not name and self.is_indexed(index) and not item.text and not item.parts
        if item.head is not None and not is_same:
            return None
        self._bind(item, name, index)
        return item

    def is_repeated(self, item: Item, name: str) -> bool:
        """Tell whether a finished item without an id has ended before."""
        return not name and item in self._done

    def ended(self, known: OpenItem, item: Item) -> None:
        """Note the end of an item."""
        self._bind(known, name_of(item), None)
        self._done.append(item)

    def matched(self, output: Sequence[Item]) -> Iterator[tuple[Item, OpenItem | None]]:
        """Give the items of a whole answer, each with what is known of it; `None`: nothing.

        Who told an item may name it otherwise here, so their order counts, too.
        """
        told = [*self._items.all]
        missing: list[Item] = []
        for item in output:
            known = self._by_id.get(name_of(item))
            if known is None or known not in told:
                known = next((each for each in told if each.kind == item.get("type")), None)
            if known is None:
                missing.append(item)
                continue
            told = told[told.index(known) + 1 :]
            yield item, known
        self._items.settle()
        said = "".join(texts(self._items.assembler.items))
        for item in missing:
            text = "".join(texts([item]))
            if not text or text not in said:
                yield item, None

    def _bind(self, item: OpenItem, name: str, index: Any) -> None:
        if name:
            self._by_id[name] = item
        if self.is_indexed(index):
            self._by_index[index] = item

    def _names(self, item: OpenItem) -> list[str]:
        return [name for name, each in self._by_id.items() if each is item]


def name_of(item: Item) -> str:
    """Give what an item is named by; llama.cpp gives calls no id but their `call_id`."""
    return as_name(item.get("id")) or as_name(item.get("call_id"))


def as_name(said: Any) -> str:
    """Give an id that can name something: a text or a number, else nothing."""
    return str(said) if isinstance(said, str | int) else ""
