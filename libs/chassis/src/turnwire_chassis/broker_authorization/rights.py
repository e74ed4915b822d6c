"""The one table of what each user may publish and subscribe to at the broker.

A broker with users enforces it (`server_config.py`). A new subject is added here, and to the
expectations of `test_rights.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from turnwire_chassis.broker_authorization.query_groups import (
    ADMIN_QUESTIONS,
    BACKEND_QUESTIONS,
    OPERATOR_QUESTIONS,
    STORE_QUESTIONS,
    TOOL_QUESTIONS,
)
from turnwire_chassis.broker_authorization.tasks import (
    ABOUT_CONSUMERS,
    ANY_RESPONSE,
    TURN_CONSUMERS,
    administer,
    back_up,
    declare_streams,
    deliver_webhooks,
    examine,
    keep_dead_letters,
    project,
    read_stream,
    restore_streams,
    work_on_turns,
)
from turnwire_chassis.jetstream import api
from turnwire_contracts import queries, subjects
from turnwire_contracts.administration.dead_letters import STORE_RETRY
from turnwire_contracts.administration.deployment import GUARD_POLICY, TOOL_SERVERS
from turnwire_contracts.event_kinds import TURN_CHANGES, subjects_written_by
from turnwire_contracts.ids import TenantId
from turnwire_contracts.queries import Query


class User(StrEnum):
    """A user of the broker; the value is the name of its connections."""

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

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    """A word behind a subject is the queue group in which alone it may be subscribed to."""
    answers_within_s: int = 0
    """Seconds within which a question may be answered, once; 0: the user answers none."""
    never_publish: tuple[str, ...] = ()
    """What may not be published although `publish` has a pattern for it."""


_MINUTES: Final = 60
_LONGEST_CALL_S: Final = 65 * _MINUTES

_TURNS: Final = subjects.TURNS_STREAM
_OUTPUT: Final = subjects.OUTPUT_STREAM

_ANY_AUDIT: Final = subjects.audit_event(TenantId("*"), "*")
_ANY_LIMITS: Final = subjects.limits(TenantId("*"))


def _ask(queries: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(query.subject for query in queries)


def _answer(queries: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(f"{query.subject} {query.queue}" for query in queries)


_GATEWAY: Final = Rights(
    publish=(
        *subjects_written_by("gateway"),
        *_ask((*STORE_QUESTIONS, *BACKEND_QUESTIONS, queries.GUARD_CHECK)),
        *_ask((*ADMIN_QUESTIONS, STORE_RETRY, GUARD_POLICY, TOOL_SERVERS)),
        *(subjects.MEMBERS, subjects.retried(ANY_RESPONSE), subjects.OWNERS, subjects.VIEWERS),
        _ANY_AUDIT,
        _ANY_LIMITS,
        subjects.WEBHOOKS,
        api.direct_get_last(subjects.LIMITS_STREAM, _ANY_LIMITS),
        api.message_at_leader(subjects.LIMITS_STREAM),
        subjects.CONSOLE_SESSIONS,
        api.direct_get_last(subjects.CONSOLE_SESSIONS_STREAM, subjects.CONSOLE_SESSIONS),
        api.message_at_leader(subjects.CONSOLE_SESSIONS_STREAM),
        api.stream_info(subjects.API_KEYS_STREAM),
        *read_stream(subjects.API_KEYS_STREAM),
        *restore_streams(),
        api.stream_info(_TURNS),
        *read_stream(_TURNS),
        *read_stream(_OUTPUT),
        api.purge(_OUTPUT),
    ),
    subscribe=(
        subjects.MEMBERS,
        subjects.OUTPUT,
        subjects.answer(TenantId("*"), ANY_RESPONSE),
        subjects.VIEWERS,
        subjects.API_KEYS,
        subjects.QUEUE_STATE,
        f"{subjects.TURN_ENDED} {subjects.GATEWAY_QUEUE}",
    ),
    answers_within_s=2 * _MINUTES,
)

_ORCHESTRATOR: Final = Rights(
    publish=(
        *subjects_written_by("orchestrator"),
        subjects.OUTPUT,
        subjects.WEBHOOKS,
        subjects.answer(TenantId("*"), ANY_RESPONSE),
        *_ask((queries.STORE_HISTORY, queries.GUARD_CHECK, *TOOL_QUESTIONS)),
        subjects.tool_cancel("*"),
        subjects.TURN_ENDED,
        subjects.QUEUE_STATE,
        subjects.OWNERS,
        *declare_streams(),
        api.stream_info(_TURNS),
        *read_stream(_TURNS),
        *read_stream(_OUTPUT),
        api.erase_message(_TURNS),
        api.purge(_OUTPUT),
        *work_on_turns(),
    ),
    subscribe=(
        subjects.MEMBERS,
        *_answer(BACKEND_QUESTIONS),
        subjects.tool_progress("*"),
        *(subjects.OWNERS, subjects.QUEUE_STATE),
        subjects.OUTPUT_LEADER_ELECTED,
        subjects.TURN_CANCEL_REQUESTED,
        *TURN_CHANGES,
    ),
    answers_within_s=5 * _MINUTES,
)

_STORE: Final = Rights(
    publish=(
        subjects.DEAD,
        *subjects_written_by("store"),
        api.purge(_OUTPUT),
        subjects.VIEW_KEYS,
        *read_stream(subjects.VIEW_KEYS_STREAM),
        api.erase_message(subjects.VIEW_KEYS_STREAM),
        *declare_streams(),
        api.stream_info(_TURNS),
        *read_stream(_TURNS),
        api.erase_message(_TURNS),
        *project(),
        *administer(),
    ),
    subscribe=(
        subjects.MEMBERS,
        *_answer((*STORE_QUESTIONS, *ADMIN_QUESTIONS, *OPERATOR_QUESTIONS)),
        *TURN_CHANGES,
    ),
    answers_within_s=5 * _MINUTES,
    never_publish=tuple(
        about(_TURNS, consumer) for about in ABOUT_CONSUMERS for consumer, _ in TURN_CONSUMERS
    ),
)

RIGHTS: Final[Mapping[User, Rights]] = {
    User.GATEWAY: _GATEWAY,
    User.ORCHESTRATOR: _ORCHESTRATOR,
    User.TOOL_RUNNER: Rights(
        publish=(subjects.tool_progress("*"), *deliver_webhooks()),
        subscribe=(
            subjects.MEMBERS,
            *_answer((*TOOL_QUESTIONS, TOOL_SERVERS)),
            subjects.tool_cancel("*"),
        ),
        answers_within_s=_LONGEST_CALL_S,
    ),
    User.GUARD: Rights(
        subscribe=(subjects.MEMBERS, *_answer((queries.GUARD_CHECK, GUARD_POLICY))),
        answers_within_s=5 * _MINUTES,
    ),
    User.STORE: _STORE,
    User.OPERATOR: Rights(
        publish=(
            _ANY_AUDIT,
            *_ask(OPERATOR_QUESTIONS),
            api.stream_info(_TURNS),
            *read_stream(_TURNS),
            *read_stream(subjects.AUDIT_STREAM),
            subjects.API_KEYS,
            api.stream_info(subjects.API_KEYS_STREAM),
            *read_stream(subjects.API_KEYS_STREAM),
            *restore_streams(),
            *keep_dead_letters(),
            *back_up(),
            *examine(),
        )
    ),
}
"""Each user also subscribes to `subjects.inbox` of its own name, and to no other inbox."""


def subscriptions_of(user: User) -> tuple[str, ...]:
    """Give the subjects that a user may subscribe to, its inbox included."""
    return (f"{subjects.inbox(user)}.>", *RIGHTS[user].subscribe)
