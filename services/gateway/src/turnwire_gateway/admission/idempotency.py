"""`Idempotency-Key`: the same key and body give the same turn (HTTP: IETF draft).

A request with a key has an id that derives from it, so that one which comes again meets its own
turn in the log.
"""

from collections.abc import Mapping
from hashlib import blake2b

from msgspec.structs import replace

from turnwire_chassis.event_log import EventLog, LogUnavailableError
from turnwire_chassis.retention import Retention, counted_from
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Closed, Failure, Requested
from turnwire_contracts.ids import named_response_id
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Turn
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.errors import ApiError, invalid, unavailable

_LONGEST_KEY = 255


class Idempotency:
    """Finds the request that came before with the same key."""

    def __init__(self, log: EventLog, retention: Retention) -> None:
        """`retention`: how long what was asked is kept; after it a key is spent."""
        self._log = log
        self._retention = retention

    async def existing(self, request: Requested) -> Requested | None:
        """Give the same request that came before; `None` if there was none, or there is no key.

        Raises `ApiError`: 409 when it was another request, or when its answer is gone; 503; and
        what the turn failed with, if its content was not to be kept.
        """
        if request.fingerprint is None:
            return None
        turn = await _turn_of(self._log, request)
        match turn:
            case NotRequested():
                return None
            case Erased(Closed(failure=Failure() as failed)):
                # What was blocked leaves this alone behind: its client hears the same again.
                raise _replayed(failed)
            case Erased() | ClosedTurn(deleted=True):
                raise _key_spent()
            case _ if turn.request.fingerprint != request.fingerprint:
                raise _key_reused()
            case _ if self._retention.is_over(counted_from(turn.request)):
                raise _key_spent()
            case _:
                return turn.request


async def check_same(log: EventLog, request: Requested) -> None:
    """Return if the turn that came first with a key is that of the same request.

    For a request that was appended too late, as `existing` had found nothing. It may be its own
    turn that it meets: of one that has left no content, it is taken to be. Raises `ApiError`: 409
    when it is another's; 503.
    """
    turn = await _turn_of(log, request)
    if isinstance(turn, NotRequested | Erased):
        return
    if turn.request.fingerprint != request.fingerprint:
        raise _key_reused()


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Read `Idempotency-Key`; raises `ApiError` (400) unless it has 1 to 255 characters."""
    key = headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise invalid(
            f"Invalid value for 'Idempotency-Key': must have 1 to {_LONGEST_KEY} characters.",
            "Idempotency-Key",
        )
    return key


def keyed(origin: Origin, key: str, body: bytes) -> Origin:
    """Give a request the id that derives from its `Idempotency-Key`, and its body's fingerprint.

    It comes before the request is read: secrets are sealed for the turn of that id.
    """
    name = f"idempotency\0{origin.tenant}\0{origin.owner}\0{key}".encode()
    fingerprint = blake2b(body, digest_size=16).hexdigest()
    return replace(origin, response_id=named_response_id(name), fingerprint=fingerprint)


async def _turn_of(log: EventLog, request: Requested) -> Turn:
    try:
        recorded = await log.read(request.tenant, request.response_id)
    except LogUnavailableError as error:
        raise unavailable("event_log_unavailable") from error
    return fold([each.event for each in recorded])


def _key_reused() -> ApiError:
    """A key comes again with another body (HTTP 409)."""
    return ApiError(failure("idempotency_key_reused"))


def _replayed(failed: Failure) -> ApiError:
    """Give the failure of an existing turn; repeated, the request would get it for ever."""
    return ApiError(replace(failed, retry_after_s=None), headers={"x-should-retry": "false"})


def _key_spent() -> ApiError:
    """A request comes again whose answer is gone (HTTP 409)."""
    return ApiError(failure("idempotency_key_spent"))
