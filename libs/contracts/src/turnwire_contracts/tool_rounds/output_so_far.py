"""What a turn has told before its last sample: items of lost samples, and of rounds with tools."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.events import Item, Run, ToolReturned
from turnwire_contracts.ids import ItemId
from turnwire_contracts.tool_rounds.tool_calls import ended_call, is_waiting, unmade_call


class OutputSoFar(Struct, frozen=True, omit_defaults=True):
    """Output of a turn before its last sample."""

    items: tuple[Item, ...] = ()
    cuts: tuple[list[str], ...] = ()
    lost: tuple[ItemId, ...] = ()
    """Those that clients saw of samples whose orchestrator died: no model is shown them."""
    rounds: tuple[int, ...] = ()
    """After how many items the ends of the calls before them were told."""
    runs: tuple[Run, ...] = ()
    """In which order items were told that were not told one after another."""

    @property
    def waiting(self) -> list[Item]:
        """Calls of MCP tools that have not ended."""
        return [item for item in self.items if is_waiting(item)]

    @property
    def said(self) -> list[Item]:
        """The items that models are shown: none of a lost sample."""
        return [item for item in self.items if item["id"] not in self.lost]

    def and_then(
        self, items: list[Item], cuts: list[list[str]], runs: Sequence[Run] = ()
    ) -> "OutputSoFar":
        """Add output; items without cuts, of which no frames were written, get empty ones."""
        all_cuts = [*cuts, *([[]] * (len(items) - len(cuts)))]
        return replace(
            self,
            items=(*self.items, *items),
            cuts=(*self.cuts, *all_cuts),
            runs=(*self.runs, *self.behind(runs)),
        )

    def behind(self, runs: Sequence[Run]) -> list[Run]:
        """Give the runs of the output that follows as those of the whole output."""
        return [(len(self.items) + number, steps) for number, steps in runs]

    def and_lost(
        self, items: list[Item], cuts: list[list[str]], runs: Sequence[Run] = ()
    ) -> "OutputSoFar":
        """Add what clients saw of a lost sample; its calls are never made, so they end here."""
        lost = (*self.lost, *(ItemId(item["id"]) for item in items))
        extended = replace(self.and_then(items, cuts, runs), lost=lost)
        return extended.round_ended() if items else extended

    def with_end(self, returned: ToolReturned) -> "OutputSoFar":
        """Set how a call ended; the last call of a round ends the round."""
        items = tuple(
            ended_call(item, returned.output, returned.error)
            if item.get("id") == returned.item_id
            else item
            for item in self.items
        )
        changed = replace(self, items=items)
        return changed if changed.waiting else changed.round_ended()

    def settled(self) -> "OutputSoFar":
        """End the calls that the turn did not wait for; they were never made."""
        if not self.waiting:
            return self
        items = tuple(unmade_call(item) if is_waiting(item) else item for item in self.items)
        return replace(self, items=items).round_ended()

    def round_ended(self) -> "OutputSoFar":
        """Note that the ends of all calls so far come next in the stream."""
        return replace(self, rounds=(*self.rounds, len(self.items)))
