"""Queries that go together: what the same service answers, or the same users ask."""

from typing import Final

from turnwire_contracts import queries
from turnwire_contracts.administration.admin_queries import (
    STORE_ACTS,
    STORE_ERASURE_PREVIEW,
    STORE_KEYS,
)
from turnwire_contracts.administration.dead_letters import STORE_DEAD_LETTERS, STORE_RETRY
from turnwire_contracts.administration.deployment import (
    BACKEND_STATUS,
    STORE_PROJECTION,
    STORE_STREAMS,
    TURN_QUEUES,
)
from turnwire_contracts.inspecting.approvals import STORE_APPROVALS
from turnwire_contracts.inspecting.response_list import STORE_RESPONSES
from turnwire_contracts.inspecting.sent_prompts import BACKEND_PROMPT
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST

STORE_QUESTIONS: Final = (
    queries.STORE_RESPONSE,
    queries.STORE_HISTORY,
    queries.STORE_CONVERSATION,
    queries.STORE_CONVERSATIONS,
    queries.STORE_TREE,
    STORE_RESPONSES,
    queries.STORE_HEALTH,
    STORE_PROJECTION,
    STORE_APPROVALS,
)
ADMIN_QUESTIONS: Final = (
    *(STORE_KEYS, STORE_ACTS, STORE_ERASURE_PREVIEW),
    *(STORE_STREAMS, STORE_DEAD_LETTERS),
)
"""What gateways ask the store for admins and operators."""
OPERATOR_QUESTIONS: Final = (queries.STORE_ERASURE, STORE_RETRY)
BACKEND_QUESTIONS: Final = (
    queries.BACKEND_MODELS,
    queries.BACKEND_INPUT_TOKENS,
    BACKEND_PROMPT,
    BACKEND_STATUS,
    TURN_QUEUES,
)
TOOL_QUESTIONS: Final = (TOOLS_LIST, TOOLS_CALL)
