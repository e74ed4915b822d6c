"""`generate: false`: a turn that prepares and asks no model. Pure.

OpenAI: such a response has an id that the next create may continue, and no output.
"""

from msgspec.structs import replace

from turnwire_contracts.events import VERSIONS, Closed, Requested, Usage
from turnwire_contracts.turn import ClosedTurn
from turnwire_contracts.wire.stream import stream_of


def warm_up(request: Requested) -> Requested:
    """Give the request of a warm-up: whatever it says, only the connection knows of it."""
    return replace(request, store=False)


def frames_of(request: Requested) -> bytes:
    """Write the stream of a warm-up."""
    end = Closed(
        v=VERSIONS["closed"],
        tenant=request.tenant,
        response_id=request.response_id,
        at=request.at,
        cause=request.cause,
        status="completed",
        usage=Usage(),
    )
    return b"".join(stream_of(ClosedTurn(request, end)))
