"""Every subject, stream and consumer name, written once."""

from turnwire_contracts.ids import ConversationId, ResponseId, TenantId, TurnKey

TURNS_STREAM = "TURNS"
OUTPUT_STREAM = "OUTPUT"
DEAD_STREAM = "DEAD"
AUDIT_STREAM = "AUDIT"
WEBHOOKS_STREAM = "WEBHOOKS"
VIEW_KEYS_STREAM = "KV_VIEW_KEYS"
"""The key-value bucket `VIEW_KEYS`: the key of each tenant's views. Only the store uses it."""
LIMITS_STREAM = "KV_LIMITS"
"""The key-value bucket `LIMITS`: gateways read and write it."""
CONSOLE_SESSIONS_STREAM = "KV_CONSOLE_SESSIONS"
"""The key-value bucket `CONSOLE_SESSIONS`: gateways read and write it."""
API_KEYS_BUCKET = "API_KEYS"
API_KEYS_STREAM = f"KV_{API_KEYS_BUCKET}"

TURN_EVENTS = "turn.>"
CONVERSATION_EVENTS = "conversation.>"
TURN_REQUESTED = "turn.*.*.requested"
TURN_CANCEL_REQUESTED = "turn.*.*.cancel_requested"
OUTPUT = "output.>"
DEAD = "dead.>"
WEBHOOKS = "webhook.*.*"
AUDIT = "audit.>"
"""Gateway and operator publish; store and operator read the stream."""
VIEW_KEYS = "$KV.VIEW_KEYS.*"
LIMITS = "$KV.LIMITS.>"
CONSOLE_SESSIONS = "$KV.CONSOLE_SESSIONS.>"
API_KEYS = f"$KV.{API_KEYS_BUCKET}.>"
"""Only the store and the operator's tools publish here; gateways subscribe and read."""


ORCHESTRATOR_CONSUMER = "orchestrator"
WEBHOOK_CONSUMER = "webhooks"

GUARD_CHECK = "guard.check"
TOOLS_LIST = "tools.list"
TOOLS_CALL = "tools.call"
STORE_RESPONSE = "store.response"
STORE_HISTORY = "store.history"
STORE_CONVERSATION = "store.conversation"
STORE_CONVERSATIONS = "store.conversations"
STORE_TREE = "store.tree"
STORE_RESPONSES = "store.responses"
STORE_APPROVALS = "store.approvals"
STORE_HEALTH = "store.health"
STORE_PROJECTION = "store.projection"
STORE_ERASURE = "store.erasure"
"""Only the operator asks. The store then publishes what erases turns and conversations."""
STORE_RETRY = "store.retry"
"""Only the operator asks, about a turn that has a dead letter."""
STORE_KEYS = "store.keys"
"""Keeps a new API key, or that one was revoked."""
STORE_ACTS = "store.acts"
STORE_ERASURE_PREVIEW = "store.erasure_preview"
"""A subject of its own: a store of another version must never take it for the erasure itself."""
STORE_STREAMS = "store.streams"
STORE_DEAD_LETTERS = "store.dead_letters"
TURN_QUEUES = "orchestrator.queues"
GUARD_POLICY = "guard.policy"
TOOL_SERVERS = "tools.servers"
BACKEND_STATUS = "backend.status"
MEMBERS = "members"
"""Asks every process how it is; each answers."""
BACKEND_MODELS = "backend.models"
BACKEND_INPUT_TOKENS = "backend.input_tokens"
BACKEND_PROMPT = "backend.prompt"
VIEWERS = "viewers.*.*"
OWNERS = "owner.*.*"
"""Asks every orchestrator whether it works on a turn now; the one that does answers."""
QUEUE_STATE = "queue_state"
"""Orchestrators tell how long foreground turns wait; every gateway hears it."""
OUTPUT_LEADER_ELECTED = f"$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.{OUTPUT_STREAM}"
"""The broker tells that another node leads the stream of frames."""
TURN_ENDED = "ended.*"
"""Orchestrators tell the end of turns that are metered; one gateway hears of each."""

GATEWAY_QUEUE = "gateway"
GUARD_QUEUE = "guard"
TOOL_RUNNER_QUEUE = "tool-runner"
STORE_QUEUE = "store"
ORCHESTRATOR_QUEUE = "orchestrator"


def inbox(service: str) -> str:
    """Name the prefix of the subjects on which a service, and no other, gets its answers."""
    return f"_INBOX_{service}"


def turn_event(tenant: TenantId, response_id: ResponseId, event: str) -> str:
    """Name the subject of one kind of event of one turn."""
    return f"turn.{tenant}.{response_id}.{event}"


def turn(tenant: TenantId, response_id: ResponseId) -> str:
    """Name all subjects of one turn: what an append is fenced by and a replay reads."""
    return f"turn.{tenant}.{response_id}.>"


def conversation_event(tenant: TenantId, conversation_id: ConversationId, event: str) -> str:
    """Name the subject of one kind of event of one conversation."""
    return f"conversation.{tenant}.{conversation_id}.{event}"


def conversation(tenant: TenantId, conversation_id: ConversationId) -> str:
    """Name all subjects of one conversation."""
    return f"conversation.{tenant}.{conversation_id}.>"


def output(tenant: TenantId, response_id: ResponseId) -> str:
    """Name the subject on which the frames of one response travel; `OUTPUT` keeps them."""
    return f"output.{tenant}.{response_id}"


def answer(tenant: TenantId, response_id: ResponseId) -> str:
    """Name the subject of a plain turn's answer; nothing keeps it, the log can rebuild it."""
    return f"answer.{tenant}.{response_id}"


def viewers(tenant: TenantId, response_id: ResponseId) -> str:
    """Name the subject that asks every gateway whether a client still watches a response."""
    return f"viewers.{tenant}.{response_id}"


def owner(tenant: TenantId, response_id: ResponseId) -> str:
    """Name the subject that asks every orchestrator whether it works on a turn now."""
    return f"owner.{tenant}.{response_id}"


def limits(tenant: TenantId) -> str:
    """Name the key of one tenant in the bucket `LIMITS`: what is used of its limits."""
    return f"$KV.LIMITS.{tenant}"


def console_session(session_id: str) -> str:
    """Name the key of one session in the bucket `CONSOLE_SESSIONS`."""
    return f"$KV.CONSOLE_SESSIONS.{session_id}"


def turn_ended(tenant: TenantId) -> str:
    """Name the subject on which the end of a metered turn is told to one of the gateways."""
    return f"ended.{tenant}"


def api_key(key_id: str) -> str:
    """Name the subject of one API key in its bucket."""
    return f"$KV.{API_KEYS_BUCKET}.{key_id}"


def tool_progress(call_id: str) -> str:
    """Name the subject on which a tool-runner says that it still works on a call."""
    return f"tools.progress.{call_id}"


def tool_cancel(call_id: str) -> str:
    """Name the subject that cancels a call at the tool-runner that works on it."""
    return f"tools.cancel.{call_id}"


def dead(reason: str, response_id: ResponseId) -> str:
    """Name the subject under which a message that could not be handled is kept."""
    return f"dead.{reason}.{response_id}"


def webhook(tenant: TenantId, event_id: str) -> str:
    """Name the subject of one event on its way to a webhook; `WEBHOOKS` keeps it until then."""
    return f"webhook.{tenant}.{event_id}"


def retried(about: ResponseId) -> str:
    """Name the subject of the mark that a dead letter about something was retried."""
    return f"dead.retried.{about}"


def audit_event(tenant: TenantId, kind: str) -> str:
    """Name the subject of one kind of act in one tenant."""
    return f"audit.{tenant}.{kind}"


def view_key(tenant: TenantId) -> str:
    """Name the subject of the key of a tenant's views."""
    return f"$KV.VIEW_KEYS.{tenant}"


def parse_turn_event(subject: str) -> tuple[TenantId, ResponseId, str]:
    """Split `turn.<tenant>.<response_id>.<event>` into its three parts.

    Behind the event may stand a lane (`requested.background`), which says nothing about the event.
    Raises `ValueError` for any other subject.
    """
    root, tenant, response_id, event, *_ = subject.split(".", 4)
    if root != "turn":
        raise ValueError(f"no subject of a turn: {subject}")
    return TenantId(tenant), ResponseId(response_id), event


def parse_viewers(subject: str) -> TurnKey:
    """Split `viewers.<tenant>.<response_id>`; raises `ValueError` for any other subject."""
    root, tenant, response_id = subject.split(".")
    if root != "viewers":
        raise ValueError(f"no question for viewers: {subject}")
    return TurnKey(TenantId(tenant), ResponseId(response_id))


def parse_owner(subject: str) -> TurnKey:
    """Split `owner.<tenant>.<response_id>`; raises `ValueError` for any other subject."""
    root, tenant, response_id = subject.split(".")
    if root != "owner":
        raise ValueError(f"no question for an owner: {subject}")
    return TurnKey(TenantId(tenant), ResponseId(response_id))


def parse_conversation_event(subject: str) -> tuple[TenantId, ConversationId, str]:
    """Split `conversation.<tenant>.<conversation_id>.<event>`; raises `ValueError` for another."""
    root, tenant, conversation_id, event = subject.split(".", 3)
    if root != "conversation":
        raise ValueError(f"no subject of a conversation: {subject}")
    return TenantId(tenant), ConversationId(conversation_id), event
