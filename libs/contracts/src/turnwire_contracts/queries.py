"""Questions and answers between services: what travels on the request-reply subjects."""

from typing import Any, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.conversation import ConversationState
from turnwire_contracts.events import Failure, OutputCheck, Requested
from turnwire_contracts.ids import ConversationId, Correlation, OwnerId, ResponseId, TenantId
from turnwire_contracts.turn_state import ClosedTurn

QuestionT = TypeVar("QuestionT", bound=Struct)
AnswerT = TypeVar("AnswerT")


class Query(Generic[QuestionT, AnswerT]):
    """One subject with the shapes of its question and its answer; both travel as JSON."""

    def __init__(self, subject: str, queue: str, question: type[QuestionT], answer: Any) -> None:
        """`queue`: the queue group that answers. `question`, `answer`: the types to decode to."""
        self.subject = subject
        self.queue = queue
        self._question = msgspec.json.Decoder(question)
        self._answer: msgspec.json.Decoder[AnswerT] = msgspec.json.Decoder(answer)

    def encode_question(self, question: QuestionT) -> bytes:
        """Encode a question."""
        return msgspec.json.encode(question)

    def decode_question(self, body: bytes) -> QuestionT:
        """Decode a question; raises `msgspec.DecodeError` for a body that is none."""
        return self._question.decode(body)

    def encode_answer(self, answer: AnswerT) -> bytes:
        """Encode an answer."""
        return msgspec.json.encode(answer)

    def decode_answer(self, body: bytes) -> AnswerT:
        """Decode an answer; raises `msgspec.DecodeError` for a body that is none."""
        return self._answer.decode(body)


class Question(Struct, frozen=True, kw_only=True):
    """The fields of every question."""

    correlation: Correlation | None = None


class Refusal(Struct, frozen=True, tag=True):
    """The question cannot be answered; the reason is ready for a client."""

    failure: Failure


class AskForResponse(Question, frozen=True):
    """Which turn has this response id."""

    tenant: TenantId
    response_id: ResponseId


class Found(Struct, frozen=True, tag=True):
    """A turn that has ended and is stored."""

    turn: ClosedTurn


class Running(Struct, frozen=True, tag=True):
    """A turn that has not ended."""

    request: Requested
    instructions: str | None = None
    started: bool = False
    """Whether a background turn has left the queue."""


class Missing(Struct, frozen=True, tag=True):
    """No turn or conversation that this caller may see has this id."""


class AskForHistory(Question, frozen=True):
    """Which turns a response descends from, itself included."""

    tenant: TenantId
    response_id: ResponseId


class History(Struct, frozen=True, tag=True):
    """The newest part of a history, oldest turn first."""

    turns: list[ClosedTurn]
    before: ResponseId | None = None
    """Where the older part begins: ask for this id next. `None`: this is all."""


class AskForConversation(Question, frozen=True):
    """What a conversation is called and where its next turn belongs."""

    tenant: TenantId
    conversation_id: ConversationId


class FoundConversation(Struct, frozen=True, tag=True):
    """A conversation, deleted or not."""

    conversation: ConversationState
    sequence: int
    """Its last event's place in the log: what the next append expects."""


class AskForConversations(Question, frozen=True):
    """Which conversations a user has."""

    tenant: TenantId
    owner: OwnerId | None
    """`None`: of all users."""
    limit: int
    offset: int = 0
    newest_first: bool = True
    metadata: dict[str, str] = {}
    """Only those that have all of these pairs."""
    include_deleted: bool = False


class Conversations(Struct, frozen=True, tag=True):
    """A page of conversations in the order they were created."""

    conversations: list[ConversationState]
    has_more: bool = False


class AskForTree(Question, frozen=True):
    """Which turns were made in a conversation, or branch off from one that was."""

    tenant: TenantId
    conversation_id: ConversationId
    limit: int
    after: ResponseId | None = None
    newest_first: bool = False
    include_deleted: bool = False
    everything: bool = False
    """Also the turns that only brought items and asked no model."""


class Node(Struct, frozen=True):
    """One turn in the tree of a conversation."""

    turn: ClosedTurn
    ancestors: list[ResponseId]
    """The turns it descends from, oldest first; the last is its parent."""


class Tree(Struct, frozen=True, tag=True):
    """A page of a conversation's turns, in the order in which they ended."""

    nodes: list[Node]
    has_more: bool = False


class AskForErasure(Question, frozen=True):
    """One step of erasing all that a tenant, or one of its users, has."""

    tenant: TenantId
    owner: OwnerId | None = None
    """`None`: of all users."""
    of: Literal["turns", "conversations"] = "turns"
    after: int = 0
    """Up to where in the log it was done before; 0: begin."""


class ErasureStep(Struct, frozen=True, tag=True):
    """What one step did."""

    after: int | None
    """From where to go on; `None`: the log is done to its end."""
    purged: int = 0
    running: int = 0
    """Turns that still run: they are being cancelled; begin again for them."""
    gone: bool = False
    """At the end of the log: whether nothing of what was found is left anywhere."""


class AskForModels(Question, frozen=True):
    """Which models the backend serves."""


class Models(Struct, frozen=True, tag=True):
    """The list of models as the backend sent it."""

    body: msgspec.Raw


class InputTokenCount(Struct, frozen=True, tag="InputTokens"):
    """How many tokens the model would read for a request that is not made."""

    input_tokens: int
    estimated: bool
    """Whether no backend counted them."""


class AskForHealth(Question, frozen=True):
    """Whether the system behind a service can be reached."""


class SystemHealth(Struct, frozen=True, tag="Health"):
    """What a service sees of the system behind it."""

    ok: bool
    detail: str


class GuardMessage(Struct, frozen=True):
    """One message of a conversation, as far as the guard has to know it."""

    role: Literal["user", "assistant"]
    text: str


CheckType = Literal["input", "tool_output", "output"]
CHECK_TYPES: tuple[CheckType, ...] = get_args(CheckType)
"""What can be checked: what users say, what tools give back, what models answer."""


class AskForCheck(Question, frozen=True):
    """Whether content may pass (Aleph Alpha: `POST /v1/check`)."""

    check_type: str
    """`input`, `tool_output` or `output`."""
    input: str
    """All text that is to be judged."""
    application_id: str | None = None
    """Whose policy applies; `None`: the default."""
    context: dict[str, Any] | None = None
    conversation: list[GuardMessage] = []
    """What was said, oldest first, and what is to be judged last; for models that judge both."""
    whole: bool = True
    """Whether `conversation` goes back to its beginning; else older messages can be had."""


class GuardViolation(Struct, frozen=True, omit_defaults=True):
    """One rule that the content broke."""

    category: str
    provider: str
    stage: str
    step: int
    reason: str | None = None


class Verdict(Struct, frozen=True, tag=True):
    """What the guard says of the content."""

    safe: bool
    violations: list[GuardViolation] = []
    output: OutputCheck = "unchecked"
    """In a verdict on an input: how what the model answers is to be checked."""


class NeedsHistory(Struct, frozen=True, tag=True):
    """No verdict yet: ask again with so many earlier turns, or with all there are."""

    turns: int


STORE_RESPONSE: Query[AskForResponse, Found | Running | Missing] = Query(
    subjects.STORE_RESPONSE, subjects.STORE_QUEUE, AskForResponse, Found | Running | Missing
)
STORE_HISTORY: Query[AskForHistory, History | Running | Missing] = Query(
    subjects.STORE_HISTORY, subjects.STORE_QUEUE, AskForHistory, History | Running | Missing
)
STORE_CONVERSATION: Query[AskForConversation, FoundConversation | Missing] = Query(
    subjects.STORE_CONVERSATION,
    subjects.STORE_QUEUE,
    AskForConversation,
    FoundConversation | Missing,
)
STORE_CONVERSATIONS: Query[AskForConversations, Conversations | Refusal] = Query(
    subjects.STORE_CONVERSATIONS, subjects.STORE_QUEUE, AskForConversations, Conversations | Refusal
)
STORE_TREE: Query[AskForTree, Tree | Refusal] = Query(
    subjects.STORE_TREE, subjects.STORE_QUEUE, AskForTree, Tree | Refusal
)
STORE_HEALTH: Query[AskForHealth, SystemHealth] = Query(
    subjects.STORE_HEALTH, subjects.STORE_QUEUE, AskForHealth, SystemHealth
)
STORE_ERASURE: Query[AskForErasure, ErasureStep | Refusal] = Query(
    subjects.STORE_ERASURE, subjects.STORE_QUEUE, AskForErasure, ErasureStep | Refusal
)
BACKEND_MODELS: Query[AskForModels, Models | Refusal] = Query(
    subjects.BACKEND_MODELS, subjects.ORCHESTRATOR_QUEUE, AskForModels, Models | Refusal
)
BACKEND_INPUT_TOKENS: Query[Requested, InputTokenCount | Refusal] = Query(
    subjects.BACKEND_INPUT_TOKENS, subjects.ORCHESTRATOR_QUEUE, Requested, InputTokenCount | Refusal
)
GUARD_CHECK: Query[AskForCheck, Verdict | NeedsHistory | Refusal] = Query(
    subjects.GUARD_CHECK, subjects.GUARD_QUEUE, AskForCheck, Verdict | NeedsHistory | Refusal
)
