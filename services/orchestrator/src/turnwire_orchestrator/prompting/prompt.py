"""What a backend is to be asked, before it is said in the words of its API."""

from collections.abc import Sequence

import msgspec
import orjson

from turnwire_contracts.events import Item, Requested
from turnwire_orchestrator.prompting.history import (
    HistoryTurn,
    encode_input,
    encode_items,
    told_input,
)


class Prompt(msgspec.Struct, frozen=True):
    """A request with all that the model is to read."""

    request: Requested
    past: HistoryTurn | None
    new: list[Item]
    """The items that `past` does not have."""
    instructions: str | None
    server: str | None = None
    """Which inference server answered last, in this turn or before it."""
    tried: frozenset[str] = frozenset()
    """Servers that accepted this very prompt and failed before they said anything."""

    @property
    def encoded_input(self) -> bytes:
        """Its items as a JSON list, cleaned, oldest first; those of `past` are not read again."""
        return encode_input(self.past, encode_items(self.new))

    @property
    def items(self) -> list[Item]:
        """Its items, cleaned, oldest first."""
        return orjson.loads(self.encoded_input)


def prompt_for(
    request: Requested,
    past: HistoryTurn | None,
    instructions: str | None,
    rounds: Sequence[Item] = (),
    server: str | None = None,
) -> Prompt:
    """Put together what a request asks: what its client repeats of the history is left out.

    `rounds` is what the model said in this turn already, and what tools answered; `server` is who
    said it.
    """
    before = len(request.earlier_rounds)
    new = told_input(request.input, before, past, goes_on=True)
    last = server or (past.server if past else None)
    return Prompt(request, past, [*new, *rounds], instructions, last)
