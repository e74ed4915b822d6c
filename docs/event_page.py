"""`docs/events.md`: every event, stream, subject and query, from `turnwire_contracts`."""

from nats.js.api import ConsumerConfig, DiscardPolicy, StorageType, StreamConfig
from source import Field, Row, Shape, code, functions, names, shapes, summary, table

from turnwire_chassis.jetstream import topology
from turnwire_contracts import events, ids, queries, subjects, turn

_HEAD = """\
# Events, streams and queries

Written by `docs/generate.py` from `turnwire_contracts` and `turnwire_chassis.jetstream.topology`;
do not edit it here. [architecture.md](architecture.md) tells what these words do in a turn's
life."""

_INNER_SHAPES = ("Failure", "Usage")
_QUERY = "Query["
_MIB = 1024 * 1024
_HOUR_S = 3600


def event_page() -> str:
    """Write the whole page."""
    parts = [_HEAD, _streams(), _consumers(), _subjects(), _events(), _identifiers(), _queries()]
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
    config = topology.orchestrator_consumer()
    head = ("consumer", "stream", "takes", "rules")
    name, takes = code(config.durable_name or ""), code(config.filter_subject or "")
    row = (name, code(subjects.TURNS_STREAM), takes, _rules(config))
    return f"## Consumers\n\n{table(head, [row])}"


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


def _events() -> str:
    known = shapes(events)
    common = known["TurnEvent"]
    intro = (
        "One event is one message of `TURNS`: the kind is the last word of its subject, the facts "
        "are its JSON body. Fields with a default are left out while they have it."
    )
    parts = ["## Events", intro, "### Fields of every event", _field_table(common.fields)]
    for kind, event in events.KINDS.items():
        subject = f"turn.<tenant>.<response_id>.{kind}"
        shape = known[event.__name__]
        about = f"{code(subject)}, version {events.VERSIONS[kind]}. {shape.doc}"
        parts += [f"### {kind}", about, _field_table(shape.fields)]
    parts.append("### Shapes inside events")
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
    known = shapes(queries)
    found = [field for field in names(queries) if field.annotation.startswith(_QUERY)]
    intro = (
        "Request and reply over core NATS, JSON both ways; one member of the queue group answers. "
        "An answer that may be one of several shapes says which in its `type`."
    )
    rows = [_query_row(field) for field in found]
    parts = ["## Queries", intro, table(("subject", "queue", "question", "answer"), rows)]
    used = {name for field in found for shape in _shapes_of(field) for name in shape}
    inner = {name for name in ("Violation", "Tool") if name in known}
    parts += [_described(known[name]) for name in known if name in used | inner]
    parts.append(_described(shapes(turn)["ClosedTurn"]))
    return "\n\n".join(parts)


def _described(shape: Shape) -> str:
    return _titled(shape) if shape.fields else f"**{shape.name}**: {summary(shape.doc)}"


def _query_row(field: Field) -> Row:
    query = getattr(queries, field.name)
    (question,), answers = _shapes_of(field)
    answer = " or ".join(code(name) for name in answers)
    return (code(query.subject), code(query.queue), code(question), answer)


def _shapes_of(field: Field) -> tuple[list[str], list[str]]:
    question, _, answers = field.annotation.removeprefix(_QUERY).removesuffix("]").partition(", ")
    return [question], answers.split(" | ")
