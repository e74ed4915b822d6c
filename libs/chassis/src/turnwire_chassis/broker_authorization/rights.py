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
from turnwire_chassis.jetstream import api
from turnwire_chassis.jetstream.topology import kept_streams, streams
from turnwire_contracts import queries, subjects
from turnwire_contracts.administration.dead_letters import STORE_RETRY
from turnwire_contracts.administration.deployment import GUARD_POLICY, TOOL_SERVERS
from turnwire_contracts.event_kinds import TURN_CHANGES, subjects_written_by
from turnwire_contracts.ids import ResponseId, TenantId
from turnwire_contracts.queries import Query
from turnwire_contracts.queues import QUEUES


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

_ANY_RESPONSE: Final = ResponseId("*")
_ANY_AUDIT: Final = subjects.audit_event(TenantId("*"), "*")
_ANY_LIMITS: Final = subjects.limits(TenantId("*"))
_TURN_CONSUMERS: Final = tuple((queue.consumer, queue.subject) for queue in QUEUES)


def _ask(queries: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(query.subject for query in queries)


def _answer(queries: Iterable[Query[Any, Any]]) -> tuple[str, ...]:
    return tuple(f"{query.subject} {query.queue}" for query in queries)


def _restore() -> tuple[str, ...]:
    """Make streams again that the broker lost; any user that notices may."""
    return tuple(api.create_stream(stream.name or "") for stream in streams(1))


def _declare() -> tuple[str, ...]:
    return (*_restore(), *(api.update_stream(stream.name or "") for stream in streams(1)))


def _read(stream: str) -> tuple[str, ...]:
    """Read from any node, and ask the leader whether that was all."""
    return (api.direct_get(stream), api.message_at_leader(stream))


def _dead_letters() -> Iterable[str]:
    """List, retry and drop dead letters; a request that none drives can be delivered once more."""
    yield from _read(subjects.DEAD_STREAM)
    yield api.stream_info(subjects.DEAD_STREAM)
    yield api.erase_message(subjects.DEAD_STREAM)
    yield subjects.retried(_ANY_RESPONSE)
    yield subjects.OWNERS
    yield from (queue.subject for queue in QUEUES)


def _examine() -> Iterable[str]:
    """Look at everything that the broker keeps, and whether keys of views open."""
    for stream in streams(1):
        yield api.stream_info(stream.name or "")
    for consumer, _ in _TURN_CONSUMERS:
        yield api.consumer_info(_TURNS, consumer)
    yield from _read(subjects.VIEW_KEYS_STREAM)


def _back_up() -> Iterable[str]:
    """Take every stream that lies on a disk out of a broker, and make it again from that."""
    for stream in kept_streams():
        yield api.stream_info(stream)
        yield api.snapshot(stream)
        yield api.snapshot_acknowledgements(stream)
        yield api.restore(stream)
        yield api.restore_parts(stream)
        yield api.delete_stream(stream)


def _work_on_turns() -> Iterable[str]:
    for consumer, only in _TURN_CONSUMERS:
        yield api.create_consumer(_TURNS, consumer, only)
        yield api.consumer_info(_TURNS, consumer)
        yield api.next_messages(_TURNS, consumer)
        yield api.acknowledgements(_TURNS, consumer)


def _project() -> tuple[str, ...]:
    """Have consumers of one's own, whose names count the generations of the views."""
    return tuple(about(_TURNS, "*") for about in _ABOUT_CONSUMERS)


def _administer() -> Iterable[str]:
    """Keep API keys, read acts and dead letters, look at streams: for gateways, which may not."""
    yield subjects.API_KEYS
    yield subjects.audit_event(TenantId("*"), "erasure_finished")
    for stream in (subjects.API_KEYS_STREAM, subjects.AUDIT_STREAM, subjects.DEAD_STREAM):
        yield from _read(stream)
    for stream in streams(1):
        yield api.stream_info(stream.name or "")


_ABOUT_CONSUMERS: Final = (
    api.create_consumer,
    api.delete_consumer,
    api.consumer_info,
    api.next_messages,
)

_GATEWAY: Final = Rights(
    publish=(
        *subjects_written_by("gateway"),
        *_ask((*STORE_QUESTIONS, *BACKEND_QUESTIONS, queries.GUARD_CHECK)),
        *_ask((*ADMIN_QUESTIONS, STORE_RETRY, GUARD_POLICY, TOOL_SERVERS)),
        *(subjects.MEMBERS, subjects.retried(_ANY_RESPONSE), subjects.OWNERS, subjects.VIEWERS),
        _ANY_AUDIT,
        _ANY_LIMITS,
        api.direct_get_last(subjects.LIMITS_STREAM, _ANY_LIMITS),
        api.message_at_leader(subjects.LIMITS_STREAM),
        subjects.CONSOLE_SESSIONS,
        api.direct_get_last(subjects.CONSOLE_SESSIONS_STREAM, subjects.CONSOLE_SESSIONS),
        api.message_at_leader(subjects.CONSOLE_SESSIONS_STREAM),
        api.stream_info(subjects.API_KEYS_STREAM),
        *_read(subjects.API_KEYS_STREAM),
        *_restore(),
        api.stream_info(_TURNS),
        *_read(_TURNS),
        *_read(_OUTPUT),
        api.purge(_OUTPUT),
    ),
    subscribe=(
        subjects.MEMBERS,
        subjects.OUTPUT,
        subjects.answer(TenantId("*"), _ANY_RESPONSE),
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
        subjects.answer(TenantId("*"), _ANY_RESPONSE),
        *_ask((queries.STORE_HISTORY, queries.GUARD_CHECK, *TOOL_QUESTIONS)),
        subjects.tool_cancel("*"),
        subjects.TURN_ENDED,
        subjects.QUEUE_STATE,
        subjects.OWNERS,
        *_declare(),
        api.stream_info(_TURNS),
        *_read(_TURNS),
        *_read(_OUTPUT),
        api.erase_message(_TURNS),
        api.purge(_OUTPUT),
        *_work_on_turns(),
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
        *_read(subjects.VIEW_KEYS_STREAM),
        api.erase_message(subjects.VIEW_KEYS_STREAM),
        *_declare(),
        api.stream_info(_TURNS),
        *_read(_TURNS),
        api.erase_message(_TURNS),
        *_project(),
        *_administer(),
    ),
    subscribe=(
        subjects.MEMBERS,
        *_answer((*STORE_QUESTIONS, *ADMIN_QUESTIONS, *OPERATOR_QUESTIONS)),
        *TURN_CHANGES,
    ),
    answers_within_s=5 * _MINUTES,
    never_publish=tuple(
        about(_TURNS, consumer) for about in _ABOUT_CONSUMERS for consumer, _ in _TURN_CONSUMERS
    ),
)

RIGHTS: Final[Mapping[User, Rights]] = {
    User.GATEWAY: _GATEWAY,
    User.ORCHESTRATOR: _ORCHESTRATOR,
    User.TOOL_RUNNER: Rights(
        publish=(subjects.tool_progress("*"),),
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
            *_read(_TURNS),
            *_read(subjects.AUDIT_STREAM),
            subjects.API_KEYS,
            api.stream_info(subjects.API_KEYS_STREAM),
            *_read(subjects.API_KEYS_STREAM),
            *_restore(),
            *_dead_letters(),
            *_back_up(),
            *_examine(),
        )
    ),
}
"""Each user also subscribes to `subjects.inbox` of its own name, and to no other inbox."""


def subscriptions_of(user: User) -> tuple[str, ...]:
    """Give the subjects that a user may subscribe to, its inbox included."""
    return (f"{subjects.inbox(user)}.>", *RIGHTS[user].subscribe)
