"""The events of one turn, read for who may see them, and what of them is shown."""

from typing import Final

import structlog
from starlette.requests import Request

from turnwire_chassis.event_log import EventLog, LogUnavailableError, Recorded
from turnwire_contracts.codec import UnreadableEventError
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import TurnKey
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.request_context import subject_id
from turnwire_gateway.api.requests.paging import flag
from turnwire_gateway.api.responses import ResponsePorts, readable
from turnwire_gateway.errors import internal_error, response_not_found, unavailable

log = structlog.get_logger()

SHOWN: Final = frozenset(
    {
        *("owner", "model", "input", "instructions", "previous_response_id", "params", "stream"),
        *("store", "screen", "screened", "application", "background", "conversation", "continues"),
        *("compact", "obfuscate", "traceparent", "queue_level", "violations", "output", "items"),
        *("cuts", "usage", "runs", "item_ids", "item_id", "error", "abandoned", "reason", "status"),
        *("incomplete_reason", "failure", "stored", "withheld", "fields", "with_conversation"),
        *("sample", "server", "forked_from", "rerun_of"),
    }
)
"""What a reader is shown of an event, beside what its heading says.

Left out is what is secret and of no use to a reader: sealed credentials, the hash of a body, and
whose limits are charged.
"""


class TurnLog:
    """Reads what the log has of the response in a request's path."""

    def __init__(self, ports: ResponsePorts, log: EventLog) -> None:
        self._ports = ports
        self._log = log

    async def read(self, request: Request) -> tuple[TurnKey, list[Recorded]]:
        """Give the events of a response that the caller may read, oldest first; at least one.

        An admin gets others', and with `include_deleted` deleted ones; both are noted first.
        Raises `ApiError`: 400, 403, 404; 500 for an event that cannot be read; 503.
        """
        deleted = flag(request.query_params, "include_deleted")
        if deleted:
            await self._ports.acts.allow(request, "see_deleted", subject_id(request))
        found = await readable(self._ports, request, deleted=deleted)
        turn = found.request.turn_key
        recorded = await self._recorded(turn)
        if not recorded or not isinstance(recorded[0].event, Requested):
            # It was erased meanwhile.
            raise response_not_found(turn.response_id)
        return turn, recorded

    async def _recorded(self, turn: TurnKey) -> list[Recorded]:
        try:
            return await self._log.read(*turn)
        except LogUnavailableError as error:
            raise unavailable("event_log_unavailable") from error
        except UnreadableEventError as error:
            log.exception("turn cannot be read", response_id=turn.response_id)
            raise internal_error() from error


def shown(fields: JSON) -> JSON:
    """Leave out of an event's fields what is secret, and what its heading says."""
    return {name: value for name, value in fields.items() if name in SHOWN}
