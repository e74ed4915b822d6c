"""The turns that are listed: one in a thousand fails, calls a tool, or asks for another model."""

from typing import Any, Final

from turnwire_contracts.events import Closed, Failure, Requested, TurnUsage
from turnwire_contracts.ids import ConversationId, OwnerId, ResponseId, TenantId

TENANT: Final = TenantId("acme")
_RARE: Final = 1000
_FIRST_MS: Final = 1_750_000_000_000
_APART_MS: Final = 500
_CALL: Final = {
    "type": "function_call", "name": "get_weather", "arguments": "{}", "call_id": "c",
}  # fmt: skip
_SAID: Final = {"type": "message", "role": "user", "content": "What is the capital of France?"}


def response_id(number: int) -> ResponseId:
    """Name a response."""
    return ResponseId(f"resp_{number:032x}")


def conversation_id(number: int) -> ConversationId:
    """Name the conversation that a response may be in: ten follow one another in each."""
    return ConversationId(f"conv_{number // 10:032x}")


def ended(number: int) -> tuple[Requested, Closed]:
    """Make the events of a turn."""
    at = _FIRST_MS + number * _APART_MS
    about: dict[str, Any] = {
        "v": 1, "tenant": TENANT, "response_id": response_id(number), "at": at, "cause": "req",
    }  # fmt: skip
    fails, calls, other = (number % _RARE == each for each in range(3))
    failure = Failure(503, "server_error", "overloaded", "Try again.") if fails else None
    requested = Requested(
        **about,
        owner=OwnerId(f"user{number % 20}"),
        model="rare" if other else f"model{number % 3}",
        input=[_SAID],
        background=number % 10 == 0,
        conversation=conversation_id(number) if number % 2 else None,
        application="shop" if number % 5 == 0 else None,
    )
    closed = Closed(
        **about,
        status="failed" if failure else "completed",
        failure=failure,
        output=[_CALL if calls else _SAID],
        usage=TurnUsage(40, 20),
    )
    return requested, closed
