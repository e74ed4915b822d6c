"""Dead letters: what the log has an entry of that has no effect, and how one is tried again.

The stream `DEAD` keeps them, and beside them a mark of each that was retried.
"""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from turnwire_contracts import codec, subjects
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal


class DeadLetter(Struct, frozen=True):
    """Why an entry has no effect on the views; the entry itself stays in the log."""

    subject: str
    sequence: int
    """The place of the entry in `TURNS`."""
    reason: str
    about: ResponseId | ConversationId


RetryResult = Literal["projected", "running", "gone", "unprojectable", "rebuild"]
"""`projected`: the views say what the log says. `running`: the turn has not ended, so it has no
view yet. `gone`: nothing is left of it. `unprojectable`: it still cannot be read or cannot follow.
`rebuild`: the views have gone past it, and only a rebuild can tell it."""


class Retried(Struct, frozen=True):
    """The mark of a letter that was retried; the last one of a letter counts."""

    letter: int
    """The sequence of the letter in `DEAD`."""
    at: int
    """Unix time in milliseconds."""
    result: RetryResult


UNKNOWN: Final = TenantId("unknown")
"""The tenant of a letter whose subject names none."""


class Letter(Struct, frozen=True):
    """One letter in its place."""

    number: int
    """Its sequence in `DEAD`."""
    at: datetime
    """When it was written."""
    said: DeadLetter
    retried: Retried | None
    """The last time that it was retried."""

    @property
    def tenant(self) -> TenantId:
        """Whose entry it is about."""
        try:
            return self._parsed()[0]
        except ValueError:
            return UNKNOWN

    @property
    def is_of_turn(self) -> bool:
        """Whether its subject names a turn."""
        try:
            self._parsed()
        except ValueError:
            return False
        return not codec.is_of_conversation(self.said.subject)

    def _parsed(self) -> tuple[TenantId, str, str]:
        if codec.is_of_conversation(self.said.subject):
            return subjects.parse_conversation_event(self.said.subject)
        return subjects.parse_turn_event(self.said.subject)


class AskForLetters(Question, frozen=True):
    """Which dead letters there are."""

    number: int | None = None
    """Only this one."""
    after: int = 0
    """Only letters behind this one."""
    limit: int = 100


class LettersTold(Struct, frozen=True, tag=True):
    """Letters, the oldest first."""

    letters: list[Letter]
    total: int
    """How many there are in all."""


class AskForRetry(Question, frozen=True):
    """Project one turn anew, from all that the log has of it."""

    tenant: TenantId
    response_id: ResponseId


class RetryOutcome(Struct, frozen=True, tag=True):
    """What came of it."""

    result: RetryResult
    reason: str = ""
    """What is wrong with a turn that is still `unprojectable`."""


STORE_RETRY: Query[AskForRetry, RetryOutcome | Refusal] = Query(
    subjects.STORE_RETRY, subjects.STORE_QUEUE, AskForRetry, RetryOutcome | Refusal
)
STORE_DEAD_LETTERS: Query[AskForLetters, LettersTold | Refusal] = Query(
    subjects.STORE_DEAD_LETTERS, subjects.STORE_QUEUE, AskForLetters, LettersTold | Refusal
)
