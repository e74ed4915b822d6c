"""What a conversation's events add up to: after each, how it stands and where it goes on."""

from collections.abc import Iterable, Iterator

from turnwire_cli.replaying.event_view import EventView, PlacedEvent, facts_of
from turnwire_contracts.conversation import State, evolve_conversation
from turnwire_contracts.conversation_events import ConversationEvent


def conversation_event_views(recorded: Iterable[PlacedEvent]) -> Iterator[EventView]:
    """Give a view of each event of a conversation among `recorded`.

    Raises `ImpossibleEventError` for a damaged log.
    """
    state: State = None
    for each in recorded:
        if not isinstance(each.event, ConversationEvent):
            continue
        state = evolve_conversation(state, each.event)
        yield EventView(
            sequence=each.sequence,
            event=each.event,
            facts=facts_of(each.event, "conversation_id"),
            state=_standing(state),
            next_step=_next_step(state),
        )


def _standing(state: State) -> str:
    if state is None:
        return "Gone: nothing of it is to be kept"
    where = f"last turn {state.last}" if state.last else "no turn yet"
    return f"{'Deleted' if state.deleted else 'Open'}: {where}, {len(state.metadata)} metadata"


def _next_step(state: State) -> str:
    if state is None:
        return "nothing: the conversation is gone"
    if state.deleted:
        return "nothing, until it is restored"
    if state.last is None:
        return "its first turn"
    return f"a turn behind {state.last}, or behind {state.base or 'none'} if that comes to nothing"
