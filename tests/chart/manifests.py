"""Writes `deploy/k8s/manifests/turnwire.yaml`: the chart rendered for people without Helm."""

import yaml

from architecture.house import ROOT
from chart.rendering import render

FOLDER = ROOT / "deploy" / "k8s" / "manifests"
FILE = FOLDER / "turnwire.yaml"

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


def _disown(metadata: dict[str, dict[str, str]]) -> None:
    for label in _OF_HELM & metadata.get("labels", {}).keys():
        del metadata["labels"][label]


if __name__ == "__main__":
    FILE.write_text(written(), encoding="utf-8")
