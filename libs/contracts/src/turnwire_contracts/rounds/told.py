"""What a turn has told before its last sample: items of lost samples, and of rounds with tools."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from turnwire_contracts.events import Item, Run, ToolReturned
from turnwire_contracts.ids import ItemId
from turnwire_contracts.rounds.tool_calls import ended_call, is_waiting, unmade_call


class Told(Struct, frozen=True, omit_defaults=True):
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
        """What models are shown."""
        return [item for item in self.items if item["id"] not in self.lost]

    def and_then(
        self, items: list[Item], cuts: list[list[str]], runs: Sequence[Run] = ()
    ) -> "Told":
        """Add output; cuts of what nobody could have watched are made up."""
        known = [*cuts, *([[]] * (len(items) - len(cuts)))]
        return replace(
            self,
            items=(*self.items, *items),
            cuts=(*self.cuts, *known),
            runs=(*self.runs, *self.behind(runs)),
        )

    def behind(self, runs: Sequence[Run]) -> list[Run]:
        """Give the runs of the output that follows as those of the whole output."""
        return [(len(self.items) + number, steps) for number, steps in runs]

    def and_lost(
        self, items: list[Item], cuts: list[list[str]], runs: Sequence[Run] = ()
    ) -> "Told":
        """Add what clients saw of a lost sample; its calls are never made, so they end here."""
        lost = (*self.lost, *(ItemId(item["id"]) for item in items))
        told = replace(self.and_then(items, cuts, runs), lost=lost)
        return told.round_ended() if items else told

    def with_end(self, returned: ToolReturned) -> "Told":
        """Give a call its end; the last of a round ends the round."""
        items = tuple(
            ended_call(item, returned.output, returned.error)
            if item.get("id") == returned.item_id
            else item
            for item in self.items
        )
        told = replace(self, items=items)
        return told if told.waiting else told.round_ended()

    def settled(self) -> "Told":
        """Give the end of calls that the turn did not wait for."""
        if not self.waiting:
            return self
        items = tuple(unmade_call(item) if is_waiting(item) else item for item in self.items)
        return replace(self, items=items).round_ended()

    def round_ended(self) -> "Told":
        """Note that the ends of all calls so far are told next."""
        return replace(self, rounds=(*self.rounds, len(self.items)))
