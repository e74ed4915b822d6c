"""The question how far the views are behind the log, and its answer."""

from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.queries import Query, Question, Refusal


class AskForProjection(Question, frozen=True):
    """How far the views are behind the log."""


class ProjectionStatus(Struct, frozen=True, tag="Projection"):
    """How far the views are, as any store finds it in the database and in the log."""

    generation: int
    """The generation of views that serves."""
    checkpoint: int
    """The sequence of the log up to which those views are told."""
    log_end: int
    """The sequence of the log's last event."""
    writes_here: bool = False
    """Whether the store that answers is the one that writes the views."""

    @property
    def lag(self) -> int:
        """At most so many events are not in the views yet; erased ones count."""
        return max(0, self.log_end - self.checkpoint)


STORE_PROJECTION: Query[AskForProjection, ProjectionStatus | Refusal] = Query(
    subjects.STORE_PROJECTION, subjects.STORE_QUEUE, AskForProjection, ProjectionStatus | Refusal
)
