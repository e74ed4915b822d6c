"""What a turn's events add up to: after each, the state it is in and what would be done next."""

from collections.abc import Iterable, Iterator

from turnwire_cli.replaying.event_view import EventView, PlacedEvent, facts_of
from turnwire_contracts.conversation_events import ConversationEvent
from turnwire_contracts.react import react
from turnwire_contracts.turn import evolve
from turnwire_contracts.turn_state import NotRequested, Turn
from turnwire_contracts.wire.turn_summary import summary


def event_views(recorded: Iterable[PlacedEvent]) -> Iterator[EventView]:
    """Give a view of each event of a turn among `recorded`.

    Raises `ImpossibleEventError` for a damaged log.
    """
    turn: Turn = NotRequested()
    for each in recorded:
        if isinstance(each.event, ConversationEvent):
            continue
        turn = evolve(turn, each.event)
        yield EventView(
            sequence=each.sequence,
            event=each.event,
            facts=facts_of(each.event, "response_id"),
            state=summary(turn),
            next_step=_next_step(turn),
        )


def _next_step(turn: Turn) -> str:
    """Say what an orchestrator would do next."""
    if isinstance(turn, NotRequested):
        return "nothing: there is no turn"
    step = react(turn)
    return "nothing: the turn has ended" if step is None else type(step).__name__
