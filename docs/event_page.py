"""`docs/events.md`: every event, stream, subject and query, from `turnwire_contracts`."""

from types import ModuleType
from typing import Any, NamedTuple

from nats.js.api import ConsumerConfig, DiscardPolicy, StorageType, StreamConfig
from source import Field, Row, Shape, code, functions, names, shapes, summary, table

from turnwire_chassis.jetstream import topology
from turnwire_contracts import (
    conversation,
    conversation_events,
    events,
    ids,
    queries,
    subjects,
    tools,
    turn,
)

_HEAD = """\
# Events, streams and queries

Written by `docs/generate.py` from `turnwire_contracts` and `turnwire_chassis.jetstream.topology`;
do not edit it here. [architecture.md](architecture.md) tells what these words do in a turn's
life."""

_INNER_SHAPES = ("Failure", "Usage")
_INNER_ANSWERS = {"Violation", "Tool", "ToolServer", "CallError", "Progress", "Node"}
_OF_QUERIES = (queries, tools)
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
    kinds: dict[str, Any]
    versions: dict[str, int]
    subject: str


_OF_TURNS = _Family(
    title="Events",
    intro="One event is one message of `TURNS`: the kind is the last word of its subject, the "
    "facts are its JSON body. Fields with a default are left out while they have it. A request "
    "that runs in the background has a lane behind its kind (`requested.background`), so that a "
    "consumer of its own takes it.",
    module=events,
    common="TurnEvent",
    kinds=events.KINDS,
    versions=events.VERSIONS,
    subject="turn.<tenant>.<response_id>",
)
_OF_CONVERSATIONS = _Family(
    title="Events of conversations",
    intro="They are in the same stream. What was said in a conversation stands in the events of "
    "its turns.",
    module=conversation_events,
    common="ConversationEvent",
    kinds=conversation_events.CONVERSATION_KINDS,
    versions=conversation_events.CONVERSATION_VERSIONS,
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
    configs = (topology.orchestrator_consumer(), topology.background_consumer())
    head = ("consumer", "stream", "takes", "rules")
    return f"## Consumers\n\n{table(head, [_consumer_row(config) for config in configs])}"


def _consumer_row(config: ConsumerConfig) -> Row:
    name, takes = code(config.durable_name or ""), code(config.filter_subject or "")
    return (name, code(subjects.TURNS_STREAM), takes, _rules(config))


def _rules(config: ConsumerConfig) -> str:
    return (
        f"explicit ack; given to another after {config.ack_wait:g} s of silence "
        f"(the owner speaks every {topology.HEARTBEAT_S:g} s); at most {config.max_deliver} owners"
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
    known = shapes(family.module)
    fields = _field_table(known[family.common].fields)
    parts = [f"## {family.title}", family.intro, "**Fields of every event**", fields]
    for kind, event in family.kinds.items():
        shape = known[event.__name__]
        subject = f"{family.subject}.{kind}"
        about = f"{code(subject)}, version {family.versions[kind]}. {shape.doc}"
        parts += [f"### {_title(family, kind)}", about]
        parts += [_field_table(shape.fields)] if shape.fields else []
    return "\n\n".join(parts)


def _title(family: _Family, kind: str) -> str:
    return kind if family is _OF_TURNS else f"conversation {kind}"


def _shapes_in_events() -> str:
    known = shapes(events)
    parts = ["### Shapes inside events"]
    parts += [_titled(known[name]) for name in _INNER_SHAPES]
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
    known = {name: shape for module in _OF_QUERIES for name, shape in shapes(module).items()}
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
    parts += [_described(known[name]) for name in known if name in used | _INNER_ANSWERS]
    parts.append(_described(shapes(turn)["ClosedTurn"]))
    parts.append(_described(shapes(conversation)["Conversation"]))
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
