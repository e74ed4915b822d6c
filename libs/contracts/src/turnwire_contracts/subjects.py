"""Every subject, stream and consumer name, written once."""

from turnwire_contracts.ids import ResponseId, TenantId

TURNS_STREAM = "TURNS"
OUTPUT_STREAM = "OUTPUT"
DEAD_STREAM = "DEAD"

TURN_EVENTS = "turn.>"
TURN_REQUESTED = "turn.*.*.requested"
TURN_CANCEL_REQUESTED = "turn.*.*.cancel_requested"
OUTPUT = "output.*"
DEAD = "dead.>"

ORCHESTRATOR_CONSUMER = "orchestrator"

GUARD_CHECK = "guard.check"
TOOLS_LIST = "tools.list"
STORE_RESPONSE = "store.response"
STORE_HISTORY = "store.history"
STORE_HEALTH = "store.health"
BACKEND_MODELS = "backend.models"
VIEWERS = "viewers.*"

GUARD_QUEUE = "guard"
TOOL_RUNNER_QUEUE = "tool-runner"
STORE_QUEUE = "store"
ORCHESTRATOR_QUEUE = "orchestrator"


def turn_event(tenant: TenantId, response_id: ResponseId, event: str) -> str:
    """Name the subject of one kind of event of one turn."""
    return f"turn.{tenant}.{response_id}.{event}"


def turn(tenant: TenantId, response_id: ResponseId) -> str:
    """Name all subjects of one turn: what an append is fenced by and a replay reads."""
    return f"turn.{tenant}.{response_id}.>"


def output(response_id: ResponseId) -> str:
    """Name the subject on which the frames of one response travel; `OUTPUT` keeps them."""
    return f"output.{response_id}"


def answer(response_id: ResponseId) -> str:
    """Name the subject of a plain turn's answer; nothing keeps it, the log can rebuild it."""
    return f"answer.{response_id}"


def viewers(response_id: ResponseId) -> str:
    """Name the subject that asks every gateway whether somebody still watches a response."""
    return f"viewers.{response_id}"


def dead(reason: str, response_id: ResponseId) -> str:
    """Name the subject under which a message that could not be handled is kept."""
    return f"dead.{reason}.{response_id}"


def parse_turn_event(subject: str) -> tuple[TenantId, ResponseId, str]:
    """Split `turn.<tenant>.<response_id>.<event>` into its three parts."""
    _, tenant, response_id, event = subject.split(".", 3)
    return TenantId(tenant), ResponseId(response_id), event
