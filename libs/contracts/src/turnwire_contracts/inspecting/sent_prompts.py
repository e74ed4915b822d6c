"""The question what a model was sent for a response, and its answer."""

from msgspec import Raw, Struct

from turnwire_contracts import subjects
from turnwire_contracts.event_values import SampleRecord
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queries import Query, Question, Refusal


class AskForPrompt(Question, frozen=True):
    """What the model was sent for one sample of a turn."""

    tenant: TenantId
    response_id: ResponseId
    sample: int | None = None
    """Which sample, from 1; `None`: the last."""


class RebuiltPrompt(Struct, frozen=True, tag="Prompt"):
    """A prompt as the orchestrator that answers writes it now."""

    sample: int
    samples: int
    """How many samples the turn has; one that runs counts."""
    version: str
    """Of the orchestrator that answers."""
    api: str
    size: int
    """Bytes of the body."""
    body: Raw
    """The body of the request to the backend, as JSON; `null`: too large for a message.

    No union with `None`: msgspec encodes one, and decodes nothing but `null` of it.
    """
    exact: bool | None
    """Whether it is what was sent, by its digest; `None`: no digest was kept."""
    record: SampleRecord | None = None
    """What the log says of the sample."""


class NoSample(Struct, frozen=True, tag=True):
    """The turn has no such sample."""

    samples: int


BACKEND_PROMPT: Query[AskForPrompt, RebuiltPrompt | NoSample | Refusal] = Query(
    subjects.BACKEND_PROMPT,
    subjects.ORCHESTRATOR_QUEUE,
    AskForPrompt,
    RebuiltPrompt | NoSample | Refusal,
)
