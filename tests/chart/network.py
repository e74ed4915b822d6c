"""The network policies: every pod is closed, and each opening leads to where somebody listens."""

from collections.abc import Iterator
from typing import Any

from chart.rendering import Manifest, pods


def network_problems(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    """Say what is open that should not be, and what leads nowhere."""
    policies = [each for each in manifests if each["kind"] == "NetworkPolicy"]
    if not policies:
        return
    everybody = [pod for _, pod in pods(manifests)]
    for workload, pod in pods(manifests):
        over = [each for each in policies if _selects(each["spec"]["podSelector"], pod)]
        if not any(_closes(each) for each in over):
            yield f"{workload['metadata']['name']}: no policy closes it"
    for policy in policies:
        name = policy["metadata"]["name"]
        yield from (f"NetworkPolicy {name}: {each}" for each in _own(policy, everybody))


def _selects(selector: Manifest, pod: Manifest) -> bool:
    labels = pod["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def _closes(policy: Manifest) -> bool:
    spec = policy["spec"]
    both = sorted(spec.get("policyTypes", [])) == ["Egress", "Ingress"]
    return both and not spec.get("ingress") and not spec.get("egress")


def _own(policy: Manifest, everybody: list[Manifest]) -> Iterator[str]:
    spec = policy["spec"]
    mine = [pod for pod in everybody if _selects(spec["podSelector"], pod)]
    if not mine:
        yield "is for no pod"
    for rule in _rules(spec, "ingress"):
        yield from _ports(rule, mine)
        yield from _peers(rule.get("from", []), everybody)
    for rule in _rules(spec, "egress"):
        if not rule:
            yield "lets everything out"
        inside = _inside(rule.get("to", []), everybody)
        yield from _ports(rule, inside) if inside else _numbers(rule)
        yield from _peers(rule.get("to", []), everybody)


def _rules(spec: Manifest, way: str) -> list[Manifest]:
    return spec.get(way) or []


def _ports(rule: Manifest, among: list[Manifest]) -> Iterator[str]:
    for port in rule.get("ports", []):
        if not all(_has(pod, port["port"]) for pod in among):
            yield f"opens the port {port['port']}, on which nobody listens"


def _numbers(rule: Manifest) -> Iterator[str]:
    for port in rule.get("ports", []):
        if not isinstance(port["port"], int):
            yield f"the port {port['port']} has a meaning in our own pods only"


def _has(pod: Manifest, port: Any) -> bool:
    listed = [each for one in pod["spec"]["containers"] for each in one.get("ports", [])]
    return any(port in (each["name"], each["containerPort"]) for each in listed)


def _inside(peers: list[Manifest], everybody: list[Manifest]) -> list[Manifest]:
    local = [peer["podSelector"] for peer in peers if set(peer) == {"podSelector"}]
    return [pod for pod in everybody if any(_selects(selector, pod) for selector in local)]


def _peers(peers: list[Manifest], everybody: list[Manifest]) -> Iterator[str]:
    for peer in peers:
        if set(peer) == {"podSelector"} and not _inside([peer], everybody):
            yield f"leads to pods that are not there: {peer['podSelector']}"
