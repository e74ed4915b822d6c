"""Writes what is made from other files: the manifests, and the chart's alerts and dashboards.

`deploy/k8s/manifests/turnwire.yaml` is the chart rendered for people without Helm.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from architecture.house import ROOT
from chart.rendering import CHART, render

FOLDER = ROOT / "deploy" / "k8s" / "manifests"
FILE = FOLDER / "turnwire.yaml"
OBSERVABILITY = ROOT / "deploy" / "observability"

_HEAD = "# Written by `make manifests` from the chart and values.yaml; do not edit it here.\n"
_OF_HELM = {"app.kubernetes.io/managed-by", "helm.sh/chart"}


def written() -> str:
    """Give what the file must say."""
    values = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    parts = [_HEAD]
    for manifest in render(values):
        _disown(manifest["metadata"])
        if "template" in manifest.get("spec", {}):
            _disown(manifest["spec"]["template"]["metadata"])
        parts.append(yaml.safe_dump(manifest, sort_keys=False, width=100))
    return "---\n".join(parts)


def copies() -> Iterator[tuple[Path, Path]]:
    """Give each file that the chart has a copy of, and where the copy is."""
    yield OBSERVABILITY / "rules" / "turnwire.yaml", CHART / "files" / "alerts" / "turnwire.yaml"
    for dashboard in sorted((OBSERVABILITY / "dashboards").glob("*.json")):
        yield dashboard, CHART / "files" / "dashboards" / dashboard.name


def _disown(metadata: dict[str, dict[str, str]]) -> None:
    for label in _OF_HELM & metadata.get("labels", {}).keys():
        del metadata["labels"][label]


if __name__ == "__main__":
    for original, copy in copies():
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(original.read_bytes())
    FILE.write_text(written(), encoding="utf-8")
