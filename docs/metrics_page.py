"""`docs/metrics.md`: every metric of every service, from the definitions."""

from source import Row, code, table

from turnwire_chassis.telemetry.metric import EVERY, Definition
from turnwire_chassis.telemetry.metrics import FAMILIES

_HEAD = """\
# Metrics

Written by `docs/generate.py` from `turnwire_chassis/telemetry/metrics.py`; do not edit it here.
How to scrape them, and which dashboard shows what: [observability.md](observability.md).

Each service answers `GET /metrics` on its health port (`TURNWIRE_HEALTH_PORT`) in the text format
of Prometheus, with the usual `process_*` of `prometheus_client` (CPU, memory, files, start). No
label has an id, a tenant or a user in it; what is on no list is `_other`. `lane` is `foreground` or
`background`, `server` the operator's name of a backend or MCP server (`url`: one that a client
named)."""


def metrics_page() -> str:
    """Write the whole page."""
    rows = [_row(family.definition) for family in FAMILIES]
    head = ("metric", "kind", "unit", "labels", "exposed by", "what it tells")
    return f"{_HEAD}\n\n{table(head, rows)}\n"


def _row(about: Definition) -> Row:
    services = "every service" if about.services == EVERY else ", ".join(about.services)
    labels = ", ".join(map(code, about.labels))
    return (code(about.name), about.kind, about.unit, labels, services, about.help)
