"""`README.md` of the Helm chart: its words by hand, its values from the schema and values.yaml."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from chart_schema import JSON, schema
from source import Row, code, table

_CHART = Path(__file__).parents[1] / "deploy" / "k8s" / "turnwire"

_HEAD = """\
# The Turnwire chart

Written by `docs/generate.py` from `values.schema.json` and `values.yaml`; do not edit it here.

Installs the five services of Turnwire. [From nothing to a turn](../../../docs/kubernetes.md) · [upgrading](UPGRADING.md) ·
the same [without Helm](../manifests/README.md).

    helm install turnwire deploy/k8s/turnwire --namespace turnwire --values my-values.yaml

- **No job and no hook.** The services make their streams and consumers at the broker when they start; doing it again
  changes nothing. So there is nothing to wait for, to order, or to be left over, with Argo CD and Flux as with Helm.
- **Secrets by name only.** Values hold no secret: each is a Secret of yours, also one that External Secrets makes.
- **No subcharts.** Broker and database are yours; [examples](../examples/README.md) has values for their charts. Small
  ones for trying are switched on by `dev.nats.enabled` and `dev.mongodb.enabled`.
- **Nothing may talk but what is named**, each pod meets the `restricted` profile of Pod Security, no service has a token of
  the Kubernetes API.
- **CPU has no limit** by default: a limit throttles the event loop in the middle of a stream. Memory has one.

## What was tried, and what was not

| | |
|---|---|
| rendered | every profile in `ci/` by Helm's own library, as `helm install --dry-run=client`, and linted strictly for three versions of Kubernetes |
| validated | every object against the schemas of the oldest and the newest version that is supported; KEDA's and the Prometheus operator's against their models; names, ports, selectors, Secrets and rights against one another, by checks that are tried on seeded faults; settings, ports, probes, streams and consumers against the code |
| run | the services as processes: probes, draining, a gateway that stops under 100 streams, `files/smoke.py`; the image, where a container engine is at hand ([README](../../images/README.md)) |
| **not run** | a kubelet, an API server, a CNI (so no network policy was enforced), the operators of KEDA and Prometheus, an Ingress or Gateway controller, the in-chart broker and database |

`make chart` does all of it but what needs an engine that is not there.

## Values

An empty default means that nothing is set. Objects are closed: a misspelt value is refused.
"""


def chart_page() -> str:
    """Write the whole page."""
    defaults = yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = list(_rows("", schema(), defaults))
    head = ("value", "type", "default", "what it is")
    return _HEAD + "\n" + table(head, rows) + "\n"


def _rows(path: str, about: JSON, default: Any) -> Iterator[Row]:
    for name, each in about["properties"].items():
        place = f"{path}.{name}" if path else name
        own = default.get(name) if isinstance(default, dict) else None
        if each.get("properties"):
            yield (code(place), "", "", each["description"])
            yield from _rows(place, each, own or {})
        else:
            yield (code(place), _kind(each), _shown(own), each["description"])


def _kind(about: JSON) -> str:
    if "enum" in about:
        return ", ".join(about["enum"])
    kind = about["type"]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _shown(default: Any) -> str:
    return "" if default in (None, "", {}, []) else code(json.dumps(default, ensure_ascii=False))
