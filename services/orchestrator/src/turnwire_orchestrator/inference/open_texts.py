"""The texts of an item that a backend tells: its parts side by side, or the arguments of a call."""

from typing import Any

from turnwire_contracts.json_repair import REPLACEMENT, joined
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import TEXT_FIELDS, part_list


class OpenText:
    """One text; what it says waits until the texts before it have ended."""

    def __init__(self, kind: str, index: int | None = None) -> None:
        """`kind` of part or of call; `index`: its place in its item, if the backend gives one."""
        self.kind = kind
        self.index = index
        self.is_replaced = False
        """Whether something else stands in its place, so that nothing more of it comes."""
        self.is_announced = False
        """Whether an event of its own began it, so that one will end it."""
        self.has_end = False
        """Whether its own end has come."""
        self.is_begun = False
        self.is_told = False
        self.annotations: list[JSON] = []
        self.logprobs: list[JSON] | None = None
        """What only its end tells."""
        self._waiting: list[tuple[str, list[JSON] | None]] = []
        self._pieces: list[str] = []
        self._half = ""
        self._told_to: Assembler | None = None

    @property
    def said(self) -> str:
        """All of it up to now."""
        return "".join(self._pieces) if self._told_to is None else self._told_to.text

    @property
    def waits(self) -> bool:
        """Whether anything of it waits to be told."""
        return bool(self._waiting) or (self.is_part and not self.is_begun)

    @property
    def is_part(self) -> bool:
        """Whether it is a part, and not arguments."""
        return self.kind in TEXT_FIELDS

    @property
    def is_over(self) -> bool:
        """Whether the next text may be told."""
        return self.is_replaced or self.has_end

    @property
    def is_live(self) -> bool:
        """Whether what it says is told as it comes."""
        return self._told_to is not None

    @property
    def streams(self) -> bool:
        """Whether what it says next can be told without looking at it."""
        return self._told_to is not None and not self._half

    def is_beside(self, other: "OpenText") -> bool:
        """Tell whether both have a place of their own, so that they may be told in turns."""
        if self.index is None or other.index is None:
            return False
        return self.place != other.place

    def is_before(self, other: "OpenText") -> bool:
        """Tell whether it belongs before another that was not shown yet."""
        return not other.is_begun and self.is_beside(other) and self.place < other.place

    @property
    def place(self) -> tuple[bool, int]:
        """Its place among the texts of its item: a summary stands before the content."""
        return part_list(self.kind) != "summary", self.index or 0

    def tell_to(self, assembler: Assembler) -> None:
        """Tell what waits, and from now on what it says."""
        if self._told_to is not None:
            return
        if self.is_part and not self.is_begun:
            assembler.add_part(self.kind)
        self._told_to, self.is_begun = assembler, True
        waiting, self._waiting = self._waiting, []
        for said in waiting:
            assembler.delta(*said)

    def leave(self) -> None:
        """Let what it says wait again."""
        self._pieces, self._told_to = [self.said], None

    def say(self, text: str, logprobs: list[JSON] | None = None) -> None:
        """Say a piece; half a character waits for its other half."""
        if self._half or not text.isascii():
            text, self._half = joined(self._half + text)
        if not text and not logprobs:
            return
        if self._told_to is not None:
            self._told_to.delta(text, logprobs)
        else:
            self._pieces.append(text)
            self._waiting.append((text, logprobs))

    def fill(self, whole: str) -> None:
        """Say what is missing of a text that is known as a whole; what contradicts it stays."""
        said = self.said
        if not self.is_told and len(whole) > len(said) and whole.startswith(said):
            self._half = ""
            self.say(whole[len(said) :])

    def note_end(self, annotations: list[JSON], logprobs: list[JSON] | None) -> None:
        """Keep what its end told: a fuller text may still come."""
        self.annotations, self.logprobs = annotations or self.annotations, logprobs

    def end_half(self) -> None:
        """Replace half a character, the other half of which did not come."""
        if self._half:
            self._half = ""
            self.say(REPLACEMENT)

    def end(self) -> None:
        """Tell its end."""
        self.end_half()
        said, assembler = self.said, self._told_to
        if assembler is not None and self.is_part:
            assembler.end_part(self.annotations, self.logprobs)
        self._pieces, self._told_to, self.is_told = [said], None, True


class OpenTexts:
    """The texts of one item, in the order in which they are told."""

    def __init__(self) -> None:
        self.all: list[OpenText] = []
        self.is_announced = False
        """Whether the beginning of a part was told."""
        self._is_confirmed = False

    @property
    def said(self) -> str:
        """All that they have said."""
        return "".join(text.said for text in self.all)

    @property
    def wait(self) -> bool:
        """Whether anything waits to be told."""
        return any(text.waits for text in self.all)

    def add(self, kind: str, index: Any) -> OpenText:
        """Add a text that begins; those that are not beside it are over."""
        text = OpenText(kind, _index(index))
        place = len(self.all)
        while place and text.is_before(self.all[place - 1]):
            place -= 1
        for other in self.all:
            other.is_replaced = other.is_replaced or not text.is_beside(other)
        self.all.insert(place, text)
        return text

    def announce(self, kind: str, index: Any) -> OpenText:
        """Give the text that an event of its own begins."""
        self.is_announced = True
        place = _index(index)
        silent = [text for text in self._open(kind) if not text.said and not text.has_end]
        same = [text for text in silent if place is None or text.index == place]
        text = same[-1] if same else self.add(kind, place)
        text.is_announced = True
        return text

    def speaking(self, kind: str, index: Any) -> OpenText:
        """Give the text that a delta belongs to; it begins if there is none."""
        place, there = _index(index), self._open(kind)
        for text in reversed(there):
            if text.index == place:
                self._is_confirmed = True
                return text
        # vLLM up to 0.15 announces the part 0, and then counts its deltas in `content_index`.
        is_counted = self.is_announced and not self._is_confirmed
        last = there[-1] if there else None
        if last is None or not (place is None or last.index is None or is_counted):
            return self.add(kind, None if is_counted else place)
        if last.index is None and not is_counted:
            last.index = place
        return last

    def ending(self, kind: str, index: Any, whole: str) -> OpenText | None:
        """Give the text whose end or whole an event tells, as far as it is open."""
        place = _index(index)
        there = [text for text in self.all if text.kind == kind]
        same = [text for text in there if text.index == place]
        if same and place is not None:
            return None if same[-1].is_told else same[-1]
        for text in reversed(there):
            is_it = place is None or text.index is None or whole.startswith(text.said)
            if is_it and not text.is_told:
                return text
        return None

    def tell_to(self, assembler: Assembler) -> None:
        """Tell what waits: a text after those before it are over."""
        last = self.all[-1] if self.all else None
        for text in self.all:
            if text.is_told:
                continue
            text.tell_to(assembler)
            if text is last or not text.is_over:
                return
            text.end()

    def leave(self) -> None:
        """Let what they say wait again; a text that is over is told to its end."""
        for text in self.all:
            if text.is_live and text.is_over:
                text.end()
            elif text.is_live:
                text.leave()

    def end(self, assembler: Assembler) -> None:
        """Tell all of them to their ends."""
        for text in self.all:
            if not text.is_told:
                text.tell_to(assembler)
                text.end()

    def _open(self, kind: str) -> list[OpenText]:
        return [
            text
            for text in self.all
            if text.kind == kind and not text.is_told and not text.is_replaced
        ]


def _index(said: Any) -> int | None:
    return said if isinstance(said, int) and not isinstance(said, bool) else None
