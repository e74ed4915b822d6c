"""Who may say and hear what at the broker: the one table.

A broker that knows who is who holds everybody to it (`server_config.py`). Whoever needs a new
subject adds it here, and to the expectations of `test_rights.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.topology import streams
from turnwire_contracts import queries, subjects
from turnwire_contracts.ids import ConversationId, ResponseId, TenantId
from turnwire_contracts.queries import Query
from turnwire_contracts.tools import TOOLS_CALL, TOOLS_LIST


class User(StrEnum):
    """Who connects: the value is the name of the connection."""

    GATEWAY = "gateway"
    ORCHESTRATOR = "orchestrator"
    TOOL_RUNNER = "tool-runner"
    GUARD = "guard"
    STORE = "store"
    OPERATOR = "operator"
    """A person with the `turnwire` command."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What one user may do, beside being answered; whatever is not named is denied."""

    says: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    """A word behind a subject is the queue group in which alone it may be heard."""
    answers_within_s: int = 0
    """How long after a question whoever asked it may be answered, once; 0: nobody is."""
    never: tuple[str, ...] = ()
    """What may not be said although `says` has a pattern for it."""


_MINUTES: Final = 60
_LONGEST_CALL_S: Final = 65 * _MINUTES

_TURNS: Final = subjects.TURNS_STREAM
_OUTPUT: Final = subjects.OUTPUT_STREAM

_ANY_RESPONSE: Final = ResponseId("*")
_ANY_AUDIT: Final = subjects.audit_event(TenantId("*"), "*")
_ANY_LIMITS: Final = subjects.limits(TenantId("*"))
_STORE_QUESTIONS: Final = (
    queries.STORE_RESPONSE,
    queries.STORE_HISTORY,
    queries.STORE_CONVERSATION,
    queries.STORE_CONVERSATIONS,
    queries.STORE_TREE,
    queries.STORE_HEALTH,
)
_BACKEND_QUESTIONS: Final = (queries.BACKEND_MODELS, queries.BACKEND_INPUT_TOKENS)
_TOOL_QUESTIONS: Final = (TOOLS_LIST, TOOLS_CALL)
_TURN_CONSUMERS: Final = (
    (subjects.ORCHESTRATOR_CONSUMER, subjects.TURN_REQUESTED),
    (subjects.BACKGROUND_CONSUMER, subjects.TURN_REQUESTED_BACKGROUND),
)


def _turn(*kinds: str) -> tuple[str, ...]:
    return tuple(subjects.turn_event(TenantId("*"), _ANY_RESPONSE, kind) for kind in kinds)


def _ask(asked: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(query.subject for query in asked)


def _answer(asked: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(f"{query.subject} {query.queue}" for query in asked)


def _restore() -> tuple[str, ...]:
    """Streams that a broker lost are made again by whoever notices."""
    return tuple(api.create_stream(stream.name or "") for stream in streams(1))


def _declare() -> tuple[str, ...]:
    return (*_restore(), *(api.update_stream(stream.name or "") for stream in streams(1)))


def _work_on_turns() -> Iterable[str]:
    for consumer, only in _TURN_CONSUMERS:
        yield api.create_consumer(_TURNS, consumer, only)
        yield api.consumer_info(_TURNS, consumer)
        yield api.next_messages(_TURNS, consumer)
        yield api.acknowledgements(_TURNS, consumer)


def _project() -> tuple[str, ...]:
    """Have consumers of one's own, whose names count the generations of the views."""
    return tuple(about(_TURNS, "*") for about in _ABOUT_CONSUMERS)


_ABOUT_CONSUMERS: Final = (
    api.create_consumer,
    api.delete_consumer,
    api.consumer_info,
    api.next_messages,
)

_GATEWAY: Final = Rights(
    says=(
        *_turn("requested", "requested.background", "items_added", "cancel_requested"),
        *_turn("deleted", "restored", "item_removed", "purged"),
        # Of a background turn that is cancelled before an orchestrator had it.
        *_turn("closed"),
        subjects.conversation_event(TenantId("*"), ConversationId("*"), "*"),
        *_ask((*_STORE_QUESTIONS, *_BACKEND_QUESTIONS, queries.GUARD_CHECK)),
        subjects.VIEWERS,
        _ANY_AUDIT,
        _ANY_LIMITS,
        api.direct_get_last(subjects.LIMITS_STREAM, _ANY_LIMITS),
        api.stream_info(subjects.API_KEYS_STREAM),
        api.direct_get(subjects.API_KEYS_STREAM),
        *_restore(),
        api.direct_get(_TURNS),
        api.direct_get(_OUTPUT),
        api.purge(_OUTPUT),
    ),
    hears=(
        subjects.OUTPUT,
        subjects.answer(TenantId("*"), _ANY_RESPONSE),
        subjects.VIEWERS,
        subjects.API_KEYS,
        f"{subjects.TURN_ENDED} {subjects.GATEWAY_QUEUE}",
    ),
    answers_within_s=2 * _MINUTES,
)

_ORCHESTRATOR: Final = Rights(
    says=(
        *_turn("started", "screened", "tools_listed", "sampled", "tool_called", "tool_returned"),
        *_turn("taken_over", "closed"),
        subjects.OUTPUT,
        subjects.answer(TenantId("*"), _ANY_RESPONSE),
        *_ask((queries.STORE_HISTORY, queries.GUARD_CHECK, *_TOOL_QUESTIONS)),
        subjects.tool_cancel("*"),
        subjects.TURN_ENDED,
        *_declare(),
        api.stream_info(_TURNS),
        api.direct_get(_TURNS),
        api.direct_get(_OUTPUT),
        api.erase_message(_TURNS),
        api.purge(_OUTPUT),
        *_work_on_turns(),
    ),
    hears=(
        *_answer(_BACKEND_QUESTIONS),
        subjects.tool_progress("*"),
        subjects.TURN_CANCEL_REQUESTED,
        *subjects.TURN_CHANGES,
    ),
    answers_within_s=5 * _MINUTES,
)

_STORE: Final = Rights(
    says=(
        subjects.DEAD,
        *_turn("purged", "cancel_requested"),
        subjects.conversation_event(TenantId("*"), ConversationId("*"), "purged"),
        api.purge(_OUTPUT),
        subjects.VIEW_KEYS,
        api.direct_get(subjects.VIEW_KEYS_STREAM),
        api.erase_message(subjects.VIEW_KEYS_STREAM),
        *_declare(),
        api.stream_info(_TURNS),
        api.direct_get(_TURNS),
        api.erase_message(_TURNS),
        *_project(),
    ),
    hears=(*_answer((*_STORE_QUESTIONS, queries.STORE_ERASURE)), *subjects.TURN_CHANGES),
    answers_within_s=5 * _MINUTES,
    never=tuple(
        about(_TURNS, consumer) for about in _ABOUT_CONSUMERS for consumer, _ in _TURN_CONSUMERS
    ),
)

RIGHTS: Final[Mapping[User, Rights]] = {
    User.GATEWAY: _GATEWAY,
    User.ORCHESTRATOR: _ORCHESTRATOR,
    User.TOOL_RUNNER: Rights(
        says=(subjects.tool_progress("*"),),
        hears=(*_answer(_TOOL_QUESTIONS), subjects.tool_cancel("*")),
        answers_within_s=_LONGEST_CALL_S,
    ),
    User.GUARD: Rights(hears=_answer((queries.GUARD_CHECK,)), answers_within_s=5 * _MINUTES),
    User.STORE: _STORE,
    User.OPERATOR: Rights(
        says=(
            _ANY_AUDIT,
            *_ask((queries.STORE_ERASURE,)),
            api.stream_info(_TURNS),
            api.direct_get(_TURNS),
            api.direct_get(subjects.AUDIT_STREAM),
            subjects.API_KEYS,
            api.stream_info(subjects.API_KEYS_STREAM),
            api.direct_get(subjects.API_KEYS_STREAM),
            *_restore(),
        )
    ),
}
"""Everybody also hears `subjects.inbox` of its own name, and nobody that of another."""


def heard_by(user: User) -> tuple[str, ...]:
    """Give what a user may hear, its answers included."""
    return (f"{subjects.inbox(user)}.>", *RIGHTS[user].hears)
