"""Which of the items of a sample an event is about, by whatever its backend names them.

An id names an item until another `output_index` or `call_id` says that there are two of it; an
index, where the id is not known (GitHub Copilot: another id in every event). What ends may be named
otherwise than what began (vLLM's calls: no id, another `call_id`, the next index): then it is known
by what it says.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from turnwire_contracts.events import Item
from turnwire_contracts.wire.items import ARGUMENT_FIELDS, TEXT_FIELDS, parts_of
from turnwire_contracts.wire.texts import texts
from turnwire_orchestrator.inference.item_shapes import is_same_json
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems

_TEXTS = ("message", "reasoning")


class _Named(Struct, eq=False):
    """An item and what names it."""

    item: OpenItem
    index: int | None
    names: list[str]
    call_id: str = ""
    is_named_often: bool = False
    end: Item | None = None
    """Its own end, once that has come."""

    def is_named(self, name: str) -> bool:
        """Tell whether an event calls it so: by an id, or by its `call_id`."""
        return name in self.names or name == self.call_id

    @property
    def is_open(self) -> bool:
        """Whether more of it can come."""
        return not self.item.is_told and self.item.said_end is None

    @property
    def is_silent(self) -> bool:
        """Whether nothing was said of it but that it begins."""
        return not self.item.texts.said and not (self.item.kind in _TEXTS and self.item.texts.all)

    def may_stand_at(self, index: Any) -> bool:
        """Tell whether an event with that `output_index` may be about it."""
        return self.index is None or not isinstance(index, int) or self.index == index

    def may_be_called(self, call_id: str) -> bool:
        """Tell whether its `call_id`, as far as known, may be that."""
        return not (self.call_id and call_id) or self.call_id == call_id

    def says(self, item: Item) -> bool:
        """Tell whether it says the beginning of what a finished item says."""
        said, whole = self.item.texts.said, _whole(item)
        if not said or not self._has_name_of(item):
            return False
        return whole.startswith(said)

    def says_all(self, item: Item) -> bool:
        """Tell whether it says what a finished item says."""
        said, whole = self.item.texts.said, _whole(item)
        if not said or not self._has_name_of(item):
            return False
        return said == whole or (self.item.kind in ARGUMENT_FIELDS and is_same_json(said, whole))

    def _has_name_of(self, item: Item) -> bool:
        own = (self.item.head or {}).get("name")
        return own is None or self.item.is_custom or item.get("name") in (None, own)


class ItemNames:
    """Finds items by id, by `output_index`, by what they say, or as the last of their kind."""

    def __init__(self, items: OpenItems) -> None:
        self._items = items
        self._all: list[_Named] = []

    @staticmethod
    def is_indexed(index: Any) -> bool:
        """Tell whether an event has an `output_index`."""
        return isinstance(index, int)

    def add(self, kind: str, head: Item | None, name: str, index: Any) -> OpenItem:
        """Add an item that begins."""
        place = index if self.is_indexed(index) else None
        named = _Named(self._items.add(kind, head, place), place, [])
        self._all.append(named)
        self._bind(named, name, index, head or {})
        return named.item

    def find(self, name: str, index: Any, kind: str, whole: str = "") -> OpenItem | None:
        """Give the item that an event is about, if it is known.

        `whole`: the text of which the event tells the end.
        """
        same = [named for named in self._latest() if name and named.is_named(name)]
        same.sort(key=lambda named: named.item.kind != kind)
        for named in same:
            if self._is_at(named, index, whole):
                named.is_named_often = True
                return named.item
        of_kind = [named for named in self._latest() if named.item.kind == kind]
        if not self.is_indexed(index):
            last = of_kind[0] if of_kind else None
            if last is None or not last.is_open or (name and last.is_named_often):
                last = next((each for each in of_kind if self._is_whole(each, whole)), None)
            return None if last is None else last.item
        for named in of_kind:
            if named.index == index and (named.is_open or self._is_whole(named, whole)):
                return named.item
        if of_kind and kind in _TEXTS and of_kind[0].is_open and of_kind[0].is_silent:
            # vLLM up to 0.15 names a message anew after it has begun.
            self._bind(of_kind[0], name, index, {})
            return of_kind[0].item
        return None

    def find_added(self, item: Item, index: Any) -> OpenItem | None:
        """Give the item that begins, if something of it is known already."""
        name, call_id = name_of(item), as_name(item.get("call_id"))
        for named in self._open(item, call_id):
            if not named.may_stand_at(index):
                continue
            is_named = bool(name) and name in named.names
            is_here = named.index == index if self.is_indexed(index) else named is self._last(item)
            if named.item.head is None:
                is_it = is_named or is_here
            elif is_named:
                is_it = named.item.head.get("name") == item.get("name") and (
                    named.is_silent or named.item.blocks or item["type"] in _TEXTS
                )
            else:
                is_it = not name and self.is_indexed(index) and is_here and named.is_silent
            if is_it:
                self._bind(named, name, index, item)
                return named.item
        return None

    def find_ended(self, item: Item, index: Any) -> OpenItem | None:
        """Give the item that ends, if it is known; one that has ended may end again."""
        named = next(self._ended(item, index), None)
        return None if named is None else named.item

    def _ended(self, item: Item, index: Any) -> Iterator[_Named]:
        """Give the items that may be meant, the most probable first."""
        name, call_id = name_of(item), as_name(item.get("call_id"))
        of_kind = [named for named in self._latest() if named.item.kind == item["type"]]
        same = [named for named in of_kind if name and name in named.names]
        same = [each for each in same if each.may_be_called(call_id)]
        more = [named for named in of_kind if named.end is None]
        for named in same:
            if named.end is None and self._is_at(named, index, _whole(item)):
                yield named
        for named in same:
            if named.end is not None and named.may_stand_at(index):
                is_indexed = self.is_indexed(index) and named.index is not None
                if is_indexed or item["type"] not in ARGUMENT_FIELDS or named.says_all(item):
                    yield named
        yield from (named for named in of_kind if not name and named.end == item)
        if self.is_indexed(index):
            here = [named for named in more if named.index == index]
            yield from (each for each in here if each.is_open and each.may_be_called(call_id))
        if call_id:
            called = [each for each in more if each.call_id == call_id and each.may_stand_at(index)]
            yield from sorted(called, key=lambda named: not named.says(item))
        yield from (named for named in more if named.says_all(item))
        there = [each for each in more if each.is_open and each.may_be_called(call_id)]
        there = [each for each in there if each.may_stand_at(index)]
        yield from (named for named in there if named.says(item))
        if there and there[0] is of_kind[0] and not self.is_indexed(index):
            yield from there[:1] if not (name and there[0].is_named_often) else ()

    def ended(self, open_item: OpenItem, item: Item) -> None:
        """Note the end of an item."""
        for named in self._all:
            if named.item is open_item:
                self._bind(named, name_of(item), None, item)
                named.end = item

    def matched(self, output: Sequence[Item]) -> Iterator[tuple[Item, OpenItem | None]]:
        """Give the items of a whole answer, each with what is known of it; `None`: nothing.

        Who told an item may name it otherwise here, so what they say and their order count, too.
        """
        by_item = {id(named.item): named for named in self._all}
        streamed = [by_item[id(item)] for item in self._items.all]
        missing: list[Item] = []
        for item in output:
            match = next(self._alike(streamed, item), None)
            if match is None:
                missing.append(item)
                continue
            streamed.remove(match)
            yield item, match.item
        self._items.settle()
        said = "".join(texts(self._items.assembler.items))
        for item in missing:
            text = "".join(texts([item]))
            if not text or text not in said or item.get("type") in ARGUMENT_FIELDS:
                yield item, None

    @staticmethod
    def _alike(streamed: list[_Named], item: Item) -> Iterator[_Named]:
        name, call_id = name_of(item), as_name(item.get("call_id"))
        of_kind = [named for named in streamed if named.item.kind == item.get("type")]
        yield from (named for named in of_kind if name and name in named.names)
        yield from (named for named in of_kind if call_id and named.call_id == call_id)
        yield from (named for named in of_kind if named.says_all(item))
        yield from (named for named in of_kind if named.may_be_called(call_id))

    def _is_at(self, named: _Named, index: Any, whole: str) -> bool:
        """Tell whether an event that has an item's id, and that index, is about it."""
        if named.may_stand_at(index):
            return True
        if any(other.index == index and other.item.kind == named.item.kind for other in self._all):
            return False
        # Of a call it is the next one's; the index of a text may be one that means nothing.
        is_text = named.item.kind in _TEXTS and named.is_open
        return is_text or named.is_silent or self._is_whole(named, whole)

    @staticmethod
    def _is_whole(named: _Named, whole: str) -> bool:
        said = named.item.texts.said
        return bool(said) and named.end is None and whole.startswith(said)

    def _latest(self) -> Iterator[_Named]:
        return reversed(self._all)

    def _last(self, item: Item) -> _Named | None:
        return next((each for each in self._latest() if each.item.kind == item["type"]), None)

    def _open(self, item: Item, call_id: str) -> Iterator[_Named]:
        for named in self._latest():
            if named.item.kind == item["type"] and named.is_open and named.may_be_called(call_id):
                yield named

    def _bind(self, named: _Named, name: str, index: Any, said: Item) -> None:
        if name and name not in named.names:
            named.names.append(name)
        if self.is_indexed(index):
            named.index = index
        named.call_id = named.call_id or as_name(said.get("call_id"))


def name_of(item: Item) -> str:
    """Give what an item is named by; llama.cpp gives calls no id but their `call_id`."""
    return as_name(item.get("id")) or as_name(item.get("call_id"))


def as_name(said: Any) -> str:
    """Give an id that can name something: a text or a number, else nothing."""
    return str(said) if isinstance(said, str | int) else ""


def _whole(item: Item) -> str:
    """Give all text of a finished item."""
    field = ARGUMENT_FIELDS.get(item["type"])
    if field is not None:
        return item.get(field) or ""
    return "".join(str(part.get(TEXT_FIELDS[part["type"]]) or "") for part in parts_of(item))
