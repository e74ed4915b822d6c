"""Why a create is not begun on this connection."""

from turnwire_contracts.events import Failure
from turnwire_gateway.answers.errors import ApiError


def connection_too_old(seconds: float) -> ApiError:
    """The connection has reached its age; a new one may go on."""
    return ApiError(
        Failure(
            http_status=400,
            type="invalid_request_error",
            code="websocket_connection_limit_reached",
            message=f"A WebSocket lives for {seconds / 60:g} minutes. Connect again to go on: "
            "stored responses can be continued there.",
        )
    )


def too_many_waiting(most: int) -> ApiError:
    """More creates wait than a connection may have."""
    return _too_many(
        "websocket_queue_full", f"{most} creates wait on this connection. Wait for an end of one."
    )


def too_many_lanes(most: int) -> ApiError:
    """More lanes are busy than a connection may have."""
    return _too_many("websocket_too_many_lanes", f"{most} values of stream_id are in use already.")


def _too_many(code: str, message: str) -> ApiError:
    return ApiError(Failure(http_status=429, type="too_many_requests", code=code, message=message))
