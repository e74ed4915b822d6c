"""What the schemas of Kubernetes, KEDA and the Prometheus operator say of rendered objects."""

import importlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema.validators import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from chart.rendering import Manifest

_MODELS = {
    ("keda.sh/v1alpha1", "ScaledObject"): "cloudcoil.models.keda.v1alpha1",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "cloudcoil.models.prometheus_operator.v1",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "cloudcoil.models.prometheus_operator.v1",
}
_UNKNOWN_TO_ANY = {("gateway.networking.k8s.io/v1", "HTTPRoute")}
"""For these no package has a schema; `checks` looks at what they lead to."""


def schema_problems(manifests: list[Manifest], version: str) -> list[str]:
    """Say what a version of Kubernetes would not take; no schema is a problem, too."""
    return [problem for each in manifests for problem in _problems(each, version)]


def _problems(manifest: Manifest, version: str) -> Iterator[str]:
    kind = manifest["apiVersion"], manifest["kind"]
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    if kind in _UNKNOWN_TO_ANY:
        return
    if kind in _MODELS:
        yield from (f"{name}: {each}" for each in _model_problems(manifest, _MODELS[kind]))
        return
    validator = _validator(manifest["kind"], manifest["apiVersion"], version)
    if validator is None:
        yield f"{name}: {version} knows no {manifest['apiVersion']}"
    else:
        yield from (f"{name}: {each.message}" for each in validator.iter_errors(manifest))


@cache
def _validator(kind: str, api: str, version: str) -> Draft202012Validator | None:
    """Give what validates a kind; the package's own `validate` reads 2 MB anew for each object."""
    group, _, of_group = api.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.partition(".")[0], of_group)))
    file = _folder(version) / f"{name}.json"
    if not file.is_file():
        return None
    return Draft202012Validator(json.loads(file.read_text()), registry=_definitions(version))


@cache
def _definitions(version: str) -> Registry[Any]:
    contents = json.loads((_folder(version) / "_definitions.json").read_text())
    # The schemas name their definitions by the bare name of the file.
    definitions = Resource.from_contents(contents, default_specification=DRAFT202012)
    return Registry[Any]().with_resource("_definitions.json", definitions)


def _folder(version: str) -> Path:
    package = importlib.import_module("kubernetes_validate")
    strict = f"v{version}-local-strict"
    return Path(str(package.__file__)).parent / "kubernetes-json-schema" / strict


def _model_problems(manifest: Manifest, module: str) -> Iterator[str]:
    model = getattr(importlib.import_module(module), manifest["kind"])
    try:
        read = model.model_validate(manifest)
    except ValueError as error:
        yield str(error)
        return
    # The models drop what they do not know without a word.
    told = read.model_dump(by_alias=True, exclude_unset=True, mode="json")
    yield from (f"{path} is nothing that it knows" for path in _lost(manifest, told, ""))


def _lost(given: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(given, dict):
        for key, value in cast("Manifest", given).items():
            if not isinstance(kept, dict) or key not in kept:
                yield f"{path}.{key}"
            else:
                yield from _lost(value, cast("Manifest", kept)[key], f"{path}.{key}")
    elif isinstance(given, list):
        for number, (one, other) in enumerate(zip(cast("list[Any]", given), kept, strict=True)):
            yield from _lost(one, other, f"{path}[{number}]")
