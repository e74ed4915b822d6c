"""What connections need, and the limits of each."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_gateway.admission.admission import Admitted
from turnwire_gateway.api.turns import Turns
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.limits.request_quota import RequestQuota

Read = Callable[[JSON, Caller, str, str | None], Requested]
"""From a create's fields, the caller, the request id and the application to a turn's first event,
or `ApiError`."""

QuotaOf = Callable[[Caller], RequestQuota]
"""Gives the quota of one create."""

Admit = Callable[[Caller, Requested], Awaitable[Admitted]]
"""Settles what a request refers to and where it belongs, or raises `ApiError`."""


class SocketLimits(Struct, frozen=True):
    """What one connection may do."""

    lifetime_s: float = 3600.0
    """Open Responses: sixty minutes."""
    most_lanes: int = 32
    """OpenAI: so many lanes side by side."""
    most_waiting: int = 32
    """Creates that wait for the one before them, over all lanes."""
    most_turns: int = 64
    """Turns that are remembered because they are not stored."""


class SocketPorts(Struct, frozen=True):
    """What connections need."""

    turns: Turns
    read: Read
    admit: Admit
    quota: QuotaOf
    inherit: bool
    """Whether instructions carry forward."""
    limits: SocketLimits = SocketLimits()
