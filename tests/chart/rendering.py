"""The chart as Helm renders it, by Helm's own library; only `make chart` has that installed."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from architecture.house import ROOT
from turnwire_testing import fast_yaml

Manifest = dict[str, Any]
Values = dict[str, Any]

CHART = ROOT / "deploy" / "k8s" / "turnwire"
PROFILES = tuple(sorted(path.stem for path in (CHART / "ci").glob("*.yaml")))
RELEASE = "turnwire"
NAMESPACE = "turnwire"

OLDEST, NEWEST = "1.30.0", "1.37.0"
BETWEEN = "1.34.0"

# A cluster that nobody can reach: with `dry_run="client"` nobody is asked.
_NO_CLUSTER = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n"


class ChartRefusedError(Exception):
    """The chart does not take these values; the text is what a user reads."""


def profile(name: str) -> Values:
    """Give the values of `ci/<name>.yaml`."""
    return fast_yaml.load((CHART / "ci" / f"{name}.yaml").read_text(encoding="utf-8"))


def render(values: Values, chart: Path = CHART) -> list[Manifest]:
    """Give all objects, hooks too."""
    helm = importlib.import_module("helm_python")
    try:
        loaded = helm.Chart.load(str(chart))
        rendered = loaded.render(values, name=RELEASE, namespace=NAMESPACE, is_install=True)
    except helm.HelmError as error:
        raise ChartRefusedError(str(error)) from error
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    return [each for text in texts for each in fast_yaml.load_all(text) if each]


def install_dry(values: Values) -> Manifest:
    """Install as `helm install --dry-run=client` does: with kubeVersion and dependencies."""
    helm = importlib.import_module("helm_python")
    cluster = helm.Config(
        storage_driver="memory", namespace=NAMESPACE, kubeconfig_content=_NO_CLUSTER
    )
    try:
        return cluster.install(str(CHART), RELEASE, values, dry_run="client")
    except helm.HelmError as error:
        raise ChartRefusedError(str(error)) from error


def lint(values: Values, version: str) -> list[str]:
    """Lint strictly for a version of Kubernetes; gives what was found beyond advice."""
    helm = importlib.import_module("helm_python")
    found = helm.lint(str(CHART), values, strict=True, kube_version=version, namespace=NAMESPACE)
    return [each["error"] for each in found["messages"] if each["severity"] > 1]


def pods(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Give each workload with its pod: metadata and spec."""
    for each in manifests:
        if each["kind"] == "Pod":
            yield each, {"metadata": each["metadata"], "spec": each["spec"]}
        elif each["kind"] in {"Deployment", "StatefulSet"}:
            yield each, each["spec"]["template"]
