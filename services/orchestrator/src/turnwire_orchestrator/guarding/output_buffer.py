"""What a model says, held back until the guard has judged it, and then told on as it was told.

What is told on is the same sequence of calls, so frames and cuts are those of a turn that is
not judged. Text is judged by sentences, calls when they are whole.
"""

import re
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from typing import Any, Literal

from msgspec import Struct

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import ARGUMENT_FIELDS
from turnwire_contracts.wire.texts import texts

MOST_HELD_CHARACTERS = 1000
"""A sentence that is longer is judged in pieces, or a model that makes none would show nothing."""

_SENTENCE_END = re.compile(
    r"[.!?\u2026]+[\"')\]\u201d\u2019]*\s+|[\u3002\uff01\uff1f]+[\"')\]\u201d\u2019\u300d\u300f]*|\n"
)
"""The ends of sentences, in Latin and in Chinese and Japanese writing."""

_SAYS_NOTHING = frozenset({"message", "reasoning"})
"""Items whose head has no words of the model."""

_OVERLAP_CHARACTERS = 200
"""How much of what has passed is judged again with what follows: a rule may span the cut."""

Violations = list[dict[str, Any]]
"""What the guard found, as clients are told it."""

Role = Literal["delta", "call", "item", "item_end", "other"]


class OutputBlockedError(Exception):
    """The guard found something in what the model says."""

    def __init__(self, violations: Violations) -> None:
        super().__init__("content_filter")
        self.violations = violations


class Step(Struct, frozen=True):
    """One call of an assembler."""

    tell: Callable[[Assembler], object]
    """Makes the call again."""
    role: Role
    text: str = ""
    """What it says, to be judged."""


class HeldAssembler(Assembler):
    """Takes what the model says, and keeps each call until `take`."""

    def __init__(self, response_id: ResponseId, said: Assembler) -> None:
        """Let `said` follow all that is told: it knows what is open and what there is."""
        super().__init__(response_id)
        self.items, self.cuts = said.items, said.cuts
        self._said = said
        self._steps: list[Step] = []

    @property
    def in_part(self) -> str | None:
        """See `Assembler.in_part`."""
        return self._said.in_part

    @property
    def in_item(self) -> str | None:
        """See `Assembler.in_item`."""
        return self._said.in_item

    @property
    def text(self) -> str:
        """See `Assembler.text`."""
        return self._said.text

    def leave(self) -> int:
        """See `Assembler.leave`."""
        number = self._said.leave()
        self._steps.append(Step(lambda to: to.leave(), "other"))
        return number

    def enter(self, number: int) -> None:
        """See `Assembler.enter`."""
        self._take(Step(lambda to: to.enter(number), "other"))

    def is_left(self, number: int) -> bool:
        """See `Assembler.is_left`."""
        return self._said.is_left(number)

    def end(self, status: str = "completed") -> None:
        """See `Assembler.end`."""
        self._take(Step(lambda to: to.end(status), "item_end"))

    def add_item(self, head: Item) -> None:
        """See `Assembler.add_item`."""
        kind = head["type"]
        words = [] if kind in _SAYS_NOTHING else texts([head])
        role: Role = "call" if kind in ARGUMENT_FIELDS else "item"
        self._take(Step(lambda to: to.add_item(head), role, "\n".join(words)))

    def add_part(self, kind: str) -> None:
        """See `Assembler.add_part`."""
        self._take(Step(lambda to: to.add_part(kind), "other"))

    def delta(self, text: str, logprobs: list[JSON] | None = None) -> None:
        """See `Assembler.delta`."""
        self._take(Step(lambda to: to.delta(text, logprobs), "delta", text))

    def end_part(
        self, annotations: list[JSON] | None = None, logprobs: list[JSON] | None = None
    ) -> None:
        """See `Assembler.end_part`."""
        words = "\n".join(texts(annotations or []))
        self._take(Step(lambda to: to.end_part(annotations, logprobs), "other", words))

    def end_item(self, said: JSON | None = None, status: str = "completed") -> None:
        """See `Assembler.end_item`."""
        words = "\n".join(texts([said])) if said else ""
        self._take(Step(lambda to: to.end_item(said, status), "item_end", words))

    def take(self) -> list[Step]:
        """Hand over the first steps that can be judged now, none if there are none."""
        count = judgeable(self._steps)
        steps, self._steps = self._steps[:count], self._steps[count:]
        return steps

    def _take(self, step: Step) -> None:
        step.tell(self._said)
        self._steps.append(step)


class OutputBuffer:
    """Shows what a model says as soon as the guard has passed it."""

    def __init__(
        self,
        held: HeldAssembler,
        shown: Assembler,
        judge: Callable[[str, str], Awaitable[Violations]],
    ) -> None:
        """What is told to `held` is told to `shown` once `judge` finds nothing in it.

        `judge` takes the text that is to be shown, and all of the answer up to its end.
        """
        self.held = held
        self._shown = shown
        self._judge = judge
        self._passed = ""

    async def pass_on(self) -> None:
        """Judge and show what can be judged; raises `OutputBlockedError`, `TurnFailedError`."""
        while steps := self.held.take():
            text = words(steps)
            if text.strip():
                overlap = self._passed[-_OVERLAP_CHARACTERS:]
                if violations := await self._judge(overlap + text, self._passed + text):
                    raise OutputBlockedError(violations)
            self._passed += text
            for step in steps:
                step.tell(self._shown)


def judgeable(steps: Sequence[Step]) -> int:
    """Count the first steps that can be judged: up to the first end of a sentence, part or call.

    So what is shown of a text does not depend on how much of it comes at once.
    """
    ready = 0
    in_call = False
    lengths: list[int] = []
    text = ""
    for number, step in enumerate(steps, start=1):
        if step.role == "delta":
            lengths.append(len(step.text))
            text += step.text
            if not in_call and (whole := _whole_deltas(lengths, text)):
                return ready + whole
            continue
        lengths, text = [], ""
        # Whatever was open before a call has ended; the call itself is judged when it is whole.
        if step.role == "call":
            ready, in_call = number - 1, True
        elif not in_call or step.role != "other":
            ready, in_call = number, False
        if words(steps[:ready]).strip():
            return ready
    return ready


def words(steps: Sequence[Step]) -> str:
    """Give what steps say; deltas of one text follow one another, all else has its own line."""
    said = (
        step.text if step.role == "delta" else f"\n{step.text}\n" if step.text else "\n"
        for step in steps
    )
    return "".join(said)


def _whole_deltas(lengths: Sequence[int], text: str) -> int:
    """Count the deltas of the first sentence that ends where a delta does."""
    for found in _SENTENCE_END.finditer(text):
        if count := bisect_right([*accumulate(lengths)], found.end()):
            return count
    return len(lengths) if len(text) > MOST_HELD_CHARACTERS else 0
