"""What connections stand on, and what each of them may do."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_gateway.identity import Caller
from turnwire_gateway.limiting.visit import Visit
from turnwire_gateway.turns import Turns

Read = Callable[[JSON, Caller, str, str | None], Requested]
"""From a create's fields, the caller, the request id and the application to a turn's first event,
or `ApiError`."""

Visiting = Callable[[Caller], Visit]
"""Begins a visit: what one create is let in with."""

Admit = Callable[[Caller, Requested], Awaitable[Requested]]
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
    """What connections stand on."""

    turns: Turns
    read: Read
    admit: Admit
    visit: Visiting
    inherit: bool
    """Whether instructions carry forward."""
    limits: SocketLimits = SocketLimits()
