"""What an inbox hands out, and what it holds for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from msgspec import Struct

from turnwire_chassis.jetstream.pull import Pull


class OwnershipLostError(Exception):
    """Another owner has this delivery now: it must neither be confirmed nor given back."""


class PostponedError(Exception):
    """The delivery is to be given out again, to any process, after a while."""

    def __init__(self, delay_s: float) -> None:
        """`delay_s`: not before so many seconds have passed."""
        super().__init__(f"again in {delay_s:g} s")
        self.delay_s = delay_s


class Delivery(Struct, frozen=True):
    """One message that this process owns until it ends."""

    subject: str
    body: bytes
    sequence: int
    """Its place in the stream."""
    attempt: int
    """1 the first time; more after an owner was lost."""
    published: float
    """When it was published, by the clock of the event loop: the wall clock may jump."""
    overdue: bool = False
    """Whether it has waited so long for a place that it is to be refused; it holds none."""


MayRefuse = Callable[[Delivery], bool]
"""Tells whether a delivery that is overdue will be refused: if not, it needs a place."""


def is_given_out_first(delivery: Delivery) -> bool:
    """Refuse only what has had no owner, as far as the broker knows."""
    return delivery.attempt == 1


Work = Callable[[Delivery], Awaitable[None]]
"""Handles one delivery; raising gives it back to the broker for another try (`PostponedError`: when
it says)."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A delivery in the hands of this process, with or without a place."""

    pull: Pull
    tenant: str
    delivery: Delivery
    reply: str
    """Where the broker is told about it."""
