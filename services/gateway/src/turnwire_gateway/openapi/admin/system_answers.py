"""What the routes of the system and of its parts answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from turnwire_gateway.openapi.admin.admin_answers import Seconds


class SystemMember(BaseModel):
    """One process of a service."""

    service: str
    instance: str
    version: str
    started_at: Annotated[int, Field(description="Unix seconds.")]
    status: Literal["ok", "error"]
    problems: Annotated[dict[str, str], Field(description="What is wrong, by its name.")]
    details: Annotated[dict[str, str], Field(description="What it says of itself besides.")]


class BrokerStreamReplica(BaseModel):
    """A node that keeps a stream and does not lead it."""

    node: str
    current: bool
    behind: Annotated[int, Field(description="How many messages it lacks.")]


class BrokerStream(BaseModel):
    """One stream of the broker."""

    name: str
    messages: int
    bytes: int
    first_sequence: int
    last_sequence: int
    max_bytes: Annotated[int | None, Field(description="null: as there is room for.")]
    leader: Annotated[
        str | None, Field(description="null: the broker is alone, or elects one now.")
    ]
    replicas: list[BrokerStreamReplica]


class TurnQueue(BaseModel):
    """One queue of turns."""

    name: str
    waiting: Annotated[int, Field(description="Turns that no orchestrator has been given yet.")]
    running: Annotated[int, Field(description="Turns that orchestrators have.")]
    redelivered: Annotated[int, Field(description="Of these, those given out more than once.")]
    delivered_sequence: int


class SystemProjection(BaseModel):
    """How far the views are behind the log."""

    generation: int
    checkpoint: int
    log_end: int
    lag: Annotated[int, Field(description="At most so many events are not in the views yet.")]


class DeadLetterCount(BaseModel):
    """How many dead letters there are."""

    total: int | None


class System(BaseModel):
    """The system, as far as its parts answer."""

    object: Literal["admin.system"]
    members: list[SystemMember]
    streams: list[BrokerStream]
    queues: list[TurnQueue]
    projection: SystemProjection | None
    dead_letters: DeadLetterCount
    problems: Annotated[
        dict[str, str], Field(description="What could not be told, and why, by its name.")
    ]


class DeadLetterEntry(BaseModel):
    """An entry of the log that has no effect on the views, and why."""

    object: Literal["admin.dead_letter"]
    number: int
    created_at: Annotated[int, Field(description="Unix seconds.")]
    tenant: str
    about: Annotated[str, Field(description="The id of the response or conversation.")]
    subject: str
    sequence: Annotated[int, Field(description="The place of the entry in the log.")]
    reason: str
    retried_at: Seconds
    result: Annotated[str | None, Field(description="What came of the last retry.")]


class DeadLetterList(BaseModel):
    """A page of dead letters, the oldest first."""

    object: Literal["list"]
    data: list[DeadLetterEntry]
    last_sequence: Annotated[int, Field(description="What the next page comes `after`.")]
    has_more: bool


class RetriedDeadLetter(BaseModel):
    """What came of the retry."""

    object: Literal["admin.dead_letter.retry"]
    number: int
    about: str
    result: Literal["projected", "running", "gone", "unprojectable", "rebuild"]
    reason: str | None
    delivered_again: Annotated[
        bool, Field(description="Whether its request was given to an orchestrator once more.")
    ]


class GuardStage(BaseModel):
    """One stage of a pipeline, without its settings."""

    stage: str
    provider: str
    enabled: bool
    on_error: Literal["block", "allow"]
    problem: Annotated[str | None, Field(description="What keeps it from judging now.")]


class GuardApplication(BaseModel):
    """How the content of one application is judged."""

    application: str
    output_check: str
    pipelines: Annotated[
        dict[str, list[GuardStage]], Field(description="By check type; others are not checked.")
    ]


class PolicyInForce(BaseModel):
    """The policy in force."""

    object: Literal["admin.guard_policy"]
    version: Annotated[str, Field(description="`none`: there is no policy.")]
    applications: list[GuardApplication]
    problem: Annotated[str | None, Field(description="Why the file is ignored, if it is.")]


class ToolServerTool(BaseModel):
    """One tool of an MCP server."""

    name: str
    description: str | None
    read_only: bool


class ListedToolServer(BaseModel):
    """One MCP server of the operator."""

    label: str
    url: str
    status: Literal["ok", "error"]
    problem: str | None
    tools: list[ToolServerTool]


class ToolServerList(BaseModel):
    """The operator's MCP servers."""

    object: Literal["list"]
    data: list[ListedToolServer]
    problem: Annotated[str | None, Field(description="Why the file is ignored, if it is.")]


class ListedBackend(BaseModel):
    """One inference server."""

    name: str
    url: str
    status: Literal["ok", "error"]
    problem: str | None
    api: Annotated[str | None, Field(description="`responses` or `chat`; null: not known yet.")]
    why: Annotated[str, Field(description="How its API is known.")]
    models: Annotated[list[str], Field(description="Names and patterns of what it serves.")]


class BackendList(BaseModel):
    """The inference servers, as one orchestrator sees them."""

    object: Literal["list"]
    data: list[ListedBackend]
    problem: Annotated[str | None, Field(description="Why the file is ignored, if it is.")]
