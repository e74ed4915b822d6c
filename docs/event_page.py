"""`docs/events.md`: every event, stream, subject and query, from `turnwire_contracts`."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple

from nats.js.api import ConsumerConfig, DiscardPolicy, StorageType, StreamConfig
from source import Field, Row, Shape, code, functions, names, shapes, summary, table

from turnwire_chassis.jetstream import topology
from turnwire_contracts import (
    conversation,
    conversation_events,
    event_values,
    events,
    ids,
    queries,
    subjects,
    tools,
    turn_state,
)
from turnwire_contracts.administration import dead_letters, deployment
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS, EventKind
from turnwire_contracts.inspecting import response_list, sent_prompts
from turnwire_contracts.queues import QUEUES

_HEAD = """\
# Events, streams and queries

Written by `docs/generate.py` from `turnwire_contracts` and `turnwire_chassis.jetstream.topology`;
do not edit it here. [architecture.md](architecture.md) tells what these words do in a turn's
life."""

_INNER_SHAPES = ("Failure", "TurnUsage")
_INNER_ANSWERS = {"GuardViolation", "Tool", "ToolServer", "CallError", "CallProgress", "Node"}
_OF_QUERIES = (queries, deployment, response_list, sent_prompts, tools, dead_letters)
_QUERY = "Query["
_MIB = 1024 * 1024
_HOUR_S = 3600


class _Family(NamedTuple):
    """The events of one kind of subject."""

    title: str
    intro: str
    module: ModuleType
    common: str
    """The class whose fields all have."""
    kinds: Mapping[str, EventKind[Any]]
    subject: str


_OF_TURNS = _Family(
    title="Events",
    intro="One event is one message of `TURNS`: the kind is the last word of its subject, the "
    "facts are its JSON body. Fields with a default are left out while they have it. A request "
    "that runs in the background has a lane behind its kind (`requested.background`), and one of a "
    "tenant that has many on their way the level of its queue (`requested.2`), so that a consumer "
    "of its own takes it.",
    module=events,
    common="TurnEvent",
    kinds=TURN_EVENT_KINDS,
    subject="turn.<tenant>.<response_id>",
)
_OF_CONVERSATIONS = _Family(
    title="Events of conversations",
    intro="They are in the same stream. What was said in a conversation stands in the events of "
    "its turns.",
    module=conversation_events,
    common="ConversationEvent",
    kinds=CONVERSATION_EVENT_KINDS,
    subject="conversation.<tenant>.<conversation_id>",
)


def event_page() -> str:
    """Write the whole page."""
    told = [_events(_OF_TURNS), _shapes_in_events(), _events(_OF_CONVERSATIONS)]
    parts = [_HEAD, _streams(), _consumers(), _subjects(), *told, _identifiers(), _queries()]
    return "\n\n".join(parts) + "\n"


def _streams() -> str:
    rows = [_stream_row(stream) for stream in topology.streams(replicas=1)]
    head = ("stream", "subjects", "storage", "when full", "limits")
    intro = (
        "Gateway, orchestrator and store declare all streams when they start; doing it twice "
        "changes nothing. "
        "`TURNWIRE_STREAM_REPLICAS` says how many broker nodes keep each."
    )
    return f"## Streams\n\n{intro}\n\n{table(head, rows)}"


def _stream_row(stream: StreamConfig) -> Row:
    storage = "file" if stream.storage is StorageType.FILE else "memory"
    full = "refuse the new" if stream.discard is DiscardPolicy.NEW else "drop the oldest"
    size = f"{stream.max_bytes // _MIB} MiB" if stream.max_bytes else ""
    age = f"{stream.max_age / _HOUR_S:g} h" if stream.max_age else ""
    limits = ", ".join(each for each in (size, age) if each) or "none"
    subject = ", ".join(code(each) for each in stream.subjects or [])
    return (code(stream.name or ""), subject, storage, full, limits)


def _consumers() -> str:
    lease_s = topology.TURN_LEASE_S
    configs = [topology.turn_consumer(queue, lease_s) for queue in QUEUES]
    head = ("consumer", "stream", "takes", "rules")
    return f"## Consumers\n\n{table(head, [_consumer_row(config) for config in configs])}"


def _consumer_row(config: ConsumerConfig) -> Row:
    name, takes = code(config.durable_name or ""), code(config.filter_subject or "")
    return (name, code(subjects.TURNS_STREAM), takes, _rules(config))


def _rules(config: ConsumerConfig) -> str:
    return (
        f"explicit ack; given to another after {config.ack_wait:g} s of silence "
        f"(`TURNWIRE_TURN_LEASE_S`; the owner speaks every "
        f"{topology.heartbeat_s(topology.TURN_LEASE_S):g} s)"
    )


def _subjects() -> str:
    rows: list[Row] = []
    for name, (parameters, doc) in functions(subjects).items():
        if not name.startswith("parse_"):
            subject = getattr(subjects, name)(*(f"<{each}>" for each in parameters))
            about = doc.removeprefix("Name ")
            rows.append((code(subject), about[:1].upper() + about[1:]))
    return f"## Subjects\n\n{table(('subject', 'what it is'), rows)}"


def _events(family: _Family) -> str:
    shapes_by_name = shapes(family.module)
    fields = _field_table(shapes_by_name[family.common].fields)
    parts = [f"## {family.title}", family.intro, "**Fields of every event**", fields]
    for kind, row in family.kinds.items():
        shape = shapes_by_name[row.event.__name__]
        parts += [f"### {_title(family, kind)}", f"{_facts(family, kind, row)} {shape.doc}"]
        parts += [_field_table(shape.fields)] if shape.fields else []
    return "\n\n".join(parts)


def _facts(family: _Family, kind: str, row: EventKind[Any]) -> str:
    subject = code(f"{family.subject}.{kind}")
    about = f"{subject}, version {row.version}, published by {' and '.join(row.writers)}"
    return f"{about}; changes a turn after its end." if row.changes_ended_turn else f"{about}."


def _title(family: _Family, kind: str) -> str:
    return kind if family is _OF_TURNS else f"conversation {kind}"


def _shapes_in_events() -> str:
    shapes_by_name = shapes(events)
    parts = ["### Shapes inside events"]
    parts += [_titled(shapes_by_name[name]) for name in _INNER_SHAPES]
    parts += [_titled(shape) for shape in shapes(event_values).values()]
    parts += [_alias(field) for field in names(events) if field.name in ("Item", "Status")]
    return "\n\n".join(parts)


def _titled(shape: Shape) -> str:
    return f"**{shape.name}**: {shape.doc}\n\n{_field_table(shape.fields)}"


def _alias(field: Field) -> str:
    return f"**{field.name}** is `{field.default}`: {field.doc}"


def _field_table(fields: list[Field]) -> str:
    if not fields:
        return "No fields."
    rows = [
        (code(field.name), code(field.annotation), code(field.default or ""), field.doc)
        for field in fields
    ]
    return table(("field", "type", "default", "what it says"), rows)


def _identifiers() -> str:
    rows = [
        (code(field.name), field.doc)
        for field in names(ids)
        if (field.default or "").startswith("NewType(")
    ]
    return f"## Identifiers\n\n{table(('type', 'what it is'), rows)}"


def _queries() -> str:
    shapes_by_name = {
        name: shape for module in _OF_QUERIES for name, shape in shapes(module).items()
    }
    found = [
        (module, field)
        for module in _OF_QUERIES
        for field in names(module)
        if field.annotation.startswith(_QUERY)
    ]
    intro = (
        "Request and reply over core NATS, JSON both ways; one member of the queue group answers. "
        "An answer that may be one of several shapes says which in its `type`."
    )
    rows = [_query_row(module, field) for module, field in found]
    parts = ["## Queries", intro, table(("subject", "queue", "question", "answer"), rows)]
    used = {name for _, field in found for shape in _shapes_of(field) for name in shape}
    parts += [
        _described(shapes_by_name[name]) for name in shapes_by_name if name in used | _INNER_ANSWERS
    ]
    parts.append(_described(shapes(turn_state)["ClosedTurn"]))
    parts.append(_described(shapes(conversation)["ConversationState"]))
    return "\n\n".join(parts)


def _described(shape: Shape) -> str:
    return _titled(shape) if shape.fields else f"**{shape.name}**: {summary(shape.doc)}"


def _query_row(module: ModuleType, field: Field) -> Row:
    query = getattr(module, field.name)
    (question,), answers = _shapes_of(field)
    answer = " or ".join(code(name) for name in answers)
    return (code(query.subject), code(query.queue), code(question), answer)


def _shapes_of(field: Field) -> tuple[list[str], list[str]]:
    question, _, answers = field.annotation.removeprefix(_QUERY).removesuffix("]").partition(", ")
    return [question], answers.split(" | ")
