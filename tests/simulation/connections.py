"""Connections and subscriptions, as the simulated broker sees them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.client import SimClient

Arriving = tuple[int, str, str, dict[str, str] | None, bytes]
"""What comes to a client: the subscription, subject, reply, headers, data."""


@dataclass
class Weather:
    """What goes wrong by chance, as the schedule says."""

    lost_answers: float = 0.0
    """Which part of the confirmations is lost, though the message is kept."""
    slowness: float = 1.0
    """How much longer than usual everything takes."""


@dataclass(eq=False)
class Connection:
    """One connection, as the broker sees it."""

    client: "SimClient"
    number: int
    is_open: bool = True
    up_at: float = 0.0
    """When the last message to the broker arrives."""
    down_at: float = 0.0
    up_batch: list[tuple[Callable[..., None], tuple[Any, ...]]] = field(
        default_factory=list[tuple[Callable[..., None], tuple[Any, ...]]]
    )
    """What was sent in one instant travels together."""
    up_since: float = 0.0
    down_batch: list[Arriving] = field(default_factory=list[Arriving])
    down_since: float = 0.0
    listening: dict[int, "Listening"] = field(default_factory=dict[int, "Listening"])


@dataclass(eq=False, slots=True)
class Listening:
    """A subscription, as the broker sees it."""

    connection: Connection
    sid: int
    subject: str
    queue: str
