"""The whole log, read from the broker."""

from nats.aio.client import Client

from chaos.oracle import LoggedTurn
from turnwire_chassis.event_log import Recorded
from turnwire_chassis.jetstream.reading import pages, sequence_of, subject_of_message
from turnwire_contracts import codec, subjects
from turnwire_contracts.ids import ResponseId, TenantId


async def read_log(broker: Client, after: int = 0) -> list[LoggedTurn]:
    """Give the turns of which there are events behind the sequence `after`, with these events."""
    everything = subjects.turn(TenantId("*"), ResponseId("*"))
    turns: dict[str, list[Recorded]] = {}
    async for page in pages(broker, subjects.TURNS_STREAM, everything, after):
        for message in page:
            try:
                event = codec.read_turn_event(subject_of_message(message), message.data)
            except codec.UnreadableEventError:
                # Poison, which is no turn.
                continue
            recorded = Recorded(sequence_of(message), event)
            turns.setdefault(event.response_id, []).append(recorded)
    return [LoggedTurn(response_id, recorded) for response_id, recorded in turns.items()]
