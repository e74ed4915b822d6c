"""What services tell operators of the deployment: members, streams, queues, policy, servers."""

from typing import Literal

from msgspec import Struct

from turnwire_contracts import subjects
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Query, Question, Refusal


class MemberStatus(Struct, frozen=True):
    """One process of a service, as it answers on `members`."""

    service: str
    instance: str
    """Names this process among all."""
    version: str
    started: int
    """Unix milliseconds."""
    problems: dict[str, str]
    """What is wrong, by name; empty: it is well."""
    details: dict[str, str]
    """What it says of itself besides, by name."""


class AskForStreams(Question, frozen=True):
    """How large the broker's streams are, and who leads them."""


class StreamReplica(Struct, frozen=True):
    """A node that keeps a stream and does not lead it."""

    node: str
    current: bool
    """Whether it has all that the leader has."""
    behind: int
    """How many messages it lacks."""


class StreamStatus(Struct, frozen=True):
    """One stream."""

    name: str
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    max_bytes: int | None
    """`None`: as much as there is room for."""
    leader: str | None
    """The node that leads it; `None`: a broker that is alone, or an election."""
    replicas: list[StreamReplica]


class StreamsTold(Struct, frozen=True, tag=True):
    """All streams."""

    streams: list[StreamStatus]


class AskForQueues(Question, frozen=True):
    """How many turns wait for an orchestrator."""


class TurnQueueStatus(Struct, frozen=True):
    """One queue of turns: a consumer of the log."""

    name: str
    waiting: int
    """Turns that no orchestrator has been given yet."""
    running: int
    """Turns that orchestrators have."""
    redelivered: int
    """Of these, how many were given out more than once."""
    delivered_sequence: int
    """The sequence of the log up to which turns were given out."""


class QueuesTold(Struct, frozen=True, tag=True):
    """All queues of turns."""

    queues: list[TurnQueueStatus]


class AskForPolicy(Question, frozen=True):
    """Which policy the guard judges by."""


class PolicyStage(Struct, frozen=True):
    """One stage of a pipeline, without its settings."""

    stage: str
    provider: str
    enabled: bool
    on_error: Literal["block", "allow"]
    problem: str | None = None
    """What would keep it from judging now."""


class ApplicationPolicy(Struct, frozen=True):
    """How the content of one application is judged."""

    application: str
    output_check: str
    pipelines: dict[str, list[PolicyStage]]
    """By check type; what is not listed is not checked."""


class PolicyTold(Struct, frozen=True, tag=True):
    """The policy in force."""

    version: str
    """Tells policies apart; `none`: there is no policy."""
    applications: list[ApplicationPolicy]
    problem: str | None = None
    """Why the file is ignored, if it is."""


class AskForToolServers(Question, frozen=True):
    """How the operator's MCP servers are, and what they offer."""

    tenant: TenantId
    """Whose sessions are used."""


class ListedTool(Struct, frozen=True):
    """One tool, without its schema."""

    name: str
    description: str | None
    read_only: bool


class ToolServerStatus(Struct, frozen=True):
    """One MCP server of the operator."""

    label: str
    url: str
    tools: list[ListedTool]
    problem: str | None = None
    """Why it could not be asked; `None`: it answers."""


class ToolServersTold(Struct, frozen=True, tag=True):
    """The operator's MCP servers."""

    servers: list[ToolServerStatus]
    problem: str | None = None
    """Why the file is ignored, if it is."""


class AskForBackends(Question, frozen=True):
    """How the inference servers are, and what they serve."""


class BackendStatus(Struct, frozen=True):
    """One inference server, as one orchestrator sees it."""

    name: str
    url: str
    api: str | None
    """`responses` or `chat`; `None`: not found out yet."""
    why: str
    """How that is known."""
    models: list[str]
    """Names and patterns."""
    problem: str | None = None
    """Why it does not answer; `None`: it does."""


class BackendsTold(Struct, frozen=True, tag=True):
    """The inference servers."""

    backends: list[BackendStatus]
    problem: str | None = None
    """Why the file is ignored, if it is."""


STORE_STREAMS: Query[AskForStreams, StreamsTold | Refusal] = Query(
    subjects.STORE_STREAMS, subjects.STORE_QUEUE, AskForStreams, StreamsTold | Refusal
)
TURN_QUEUES: Query[AskForQueues, QueuesTold | Refusal] = Query(
    subjects.TURN_QUEUES, subjects.ORCHESTRATOR_QUEUE, AskForQueues, QueuesTold | Refusal
)
GUARD_POLICY: Query[AskForPolicy, PolicyTold | Refusal] = Query(
    subjects.GUARD_POLICY, subjects.GUARD_QUEUE, AskForPolicy, PolicyTold | Refusal
)
TOOL_SERVERS: Query[AskForToolServers, ToolServersTold | Refusal] = Query(
    subjects.TOOL_SERVERS, subjects.TOOL_RUNNER_QUEUE, AskForToolServers, ToolServersTold | Refusal
)
BACKEND_STATUS: Query[AskForBackends, BackendsTold | Refusal] = Query(
    subjects.BACKEND_STATUS, subjects.ORCHESTRATOR_QUEUE, AskForBackends, BackendsTold | Refusal
)


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
