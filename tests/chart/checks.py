"""What no schema sees: whether the objects of the chart fit one another.

`problems` says each misfit in a sentence. It is itself tried on seeded faults (`faults.py`).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from chart.network import network_problems
from chart.pod_checks import pod_problems
from chart.rendering import Manifest, pods
from chart.scaling import scaling_problems

KNOWN = {
    ("v1", "ConfigMap"), ("v1", "Pod"), ("v1", "Service"), ("v1", "ServiceAccount"),
    ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "NetworkPolicy"), ("networking.k8s.io/v1", "Ingress"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"), ("keda.sh/v1alpha1", "ScaledObject"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
}  # fmt: skip
"""What the chart may install; a Job is not among it."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

Check = Callable[[list[Manifest], set[str]], Iterator[str]]


def problems(manifests: list[Manifest], secrets: set[str]) -> list[str]:
    """Say what does not fit; `secrets` are the names of those that the operator brings."""
    checks: tuple[Check, ...] = (
        _names, _selectors, _services, _budgets, _references, _entrances, _monitors,
        scaling_problems, network_problems, pod_problems,
    )  # fmt: skip
    return [problem for check in checks for problem in check(manifests, secrets)]


def _names(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for each in manifests:
        kind, name = each["kind"], each["metadata"]["name"]
        if (each["apiVersion"], kind) not in KNOWN:
            yield f"{each['apiVersion']} {kind} is nothing that the chart installs"
        if not _NAME.fullmatch(name):
            yield f"{kind} {name}: no valid name"
        if (kind, name) in seen:
            yield f"{kind} {name} is there twice"
        hook = each["metadata"].get("annotations", {}).get("helm.sh/hook", "test")
        if hook != "test":
            yield f"{kind} {name} is a hook: {hook}"
        seen.add((kind, name))


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Tell whether labels are selected; an empty selector selects all."""
    wanted = selector.get("matchLabels", selector)
    return all(labels.get(name) == value for name, value in wanted.items())


def selected(selector: dict[str, Any], manifests: list[Manifest]) -> list[Manifest]:
    """Give the pods that a selector selects."""
    return [pod for _, pod in pods(manifests) if matches(selector, pod["metadata"]["labels"])]


def _selectors(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    for workload, pod in pods(manifests):
        if workload["kind"] == "Pod":
            continue
        own = selected(workload["spec"]["selector"], manifests)
        if own != [pod]:
            yield f"{workload['metadata']['name']}: its selector selects {len(own)} kinds of pods"
        for spread in pod["spec"].get("topologySpreadConstraints", []):
            if not matches(spread["labelSelector"], pod["metadata"]["labels"]):
                yield f"{workload['metadata']['name']}: spreads other pods than its own"
        rolling = workload["spec"].get("strategy", {}).get("rollingUpdate", {})
        if rolling and rolling["maxUnavailable"] == rolling["maxSurge"] == 0:
            yield f"{workload['metadata']['name']}: can never be updated"
        governing = workload["spec"].get("serviceName")
        if governing and ("Service", governing) not in _there(manifests):
            yield f"{workload['metadata']['name']}: no Service {governing}"


def _there(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def ports_of(pod: Manifest) -> dict[str, int]:
    """Give the named ports of a pod."""
    listed = [port for each in pod["spec"]["containers"] for port in each.get("ports", [])]
    return {port["name"]: port["containerPort"] for port in listed}


def _services(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    for each in manifests:
        if each["kind"] != "Service":
            continue
        behind = selected(each["spec"]["selector"], manifests)
        if len(behind) != 1:
            yield f"Service {each['metadata']['name']} leads to {len(behind)} kinds of pods"
            continue
        for port in each["spec"]["ports"]:
            if port["targetPort"] not in ports_of(behind[0]):
                yield f"Service {each['metadata']['name']}: no port {port['targetPort']}"


def _budgets(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    for each in manifests:
        if each["kind"] != "PodDisruptionBudget":
            continue
        name, spec = each["metadata"]["name"], each["spec"]
        if ("minAvailable" in spec) == ("maxUnavailable" in spec):
            yield f"PodDisruptionBudget {name}: needs one of minAvailable and maxUnavailable"
        if len(selected(spec["selector"], manifests)) != 1:
            yield f"PodDisruptionBudget {name} protects no workload, or several"


def _references(manifests: list[Manifest], secrets: set[str]) -> Iterator[str]:
    there = _there(manifests)
    for workload, pod in pods(manifests):
        name = workload["metadata"]["name"]
        account = pod["spec"].get("serviceAccountName")
        if account and ("ServiceAccount", account) not in there:
            yield f"{name}: no ServiceAccount {account}"
        for secret in _secrets_of(pod["spec"]):
            if secret not in secrets:
                yield f"{name}: the Secret {secret} is named by nobody"
        for volume in pod["spec"].get("volumes", []):
            if "configMap" in volume:
                yield from _keys_there(name, volume["configMap"], there)


def _keys_there(
    workload: str, wanted: Manifest, there: dict[tuple[str, str], Manifest]
) -> Iterator[str]:
    found = there.get(("ConfigMap", wanted["name"]))
    if found is None:
        yield f"{workload}: no ConfigMap {wanted['name']}"
        return
    for item in wanted.get("items", []):
        if item["key"] not in found["data"]:
            yield f"{workload}: no key {item['key']} in ConfigMap {wanted['name']}"


def _secrets_of(spec: Manifest) -> Iterator[str]:
    for each in spec["containers"]:
        for variable in each.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield variable["valueFrom"]["secretKeyRef"]["name"]
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            yield volume["secret"]["secretName"]
    yield from (each["name"] for each in spec.get("imagePullSecrets", []))


def _entrances(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    services = {name: each for (kind, name), each in _there(manifests).items() if kind == "Service"}
    for kind, name, service, port in _backends(manifests):
        if service not in services:
            yield f"{kind} {name}: no Service {service}"
        elif port not in _ports_of_service(services[service]):
            yield f"{kind} {name}: Service {service} has no port {port}"


def _backends(manifests: list[Manifest]) -> Iterator[tuple[str, str, str, Any]]:
    for each in manifests:
        name = each["metadata"]["name"]
        if each["kind"] == "Ingress":
            for rule in each["spec"]["rules"]:
                for path in rule["http"]["paths"]:
                    to = path["backend"]["service"]
                    yield "Ingress", name, to["name"], to["port"].get("name")
        elif each["kind"] == "HTTPRoute":
            for rule in each["spec"]["rules"]:
                for to in rule["backendRefs"]:
                    yield "HTTPRoute", name, to["name"], to["port"]


def _ports_of_service(service: Manifest) -> set[Any]:
    return {port[part] for port in service["spec"]["ports"] for part in ("name", "port")}


def _monitors(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    services = [each for each in manifests if each["kind"] == "Service"]
    for each in manifests:
        if each["kind"] != "ServiceMonitor":
            continue
        selector = each["spec"]["selector"]
        found = [one for one in services if matches(selector, one["metadata"]["labels"])]
        if not found:
            yield f"ServiceMonitor {each['metadata']['name']} finds no Service"
        for endpoint in each["spec"]["endpoints"]:
            for one in found:
                if endpoint["port"] not in _ports_of_service(one):
                    yield f"ServiceMonitor: no port {endpoint['port']} at {one['metadata']['name']}"
