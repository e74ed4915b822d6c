"""Who decides how many there are: one of replicas, an autoscaler and KEDA, never two."""

from collections.abc import Iterator

from chart.rendering import Manifest

_SCALERS = {
    "nats-jetstream": (
        {"natsServerMonitoringEndpoint", "account", "stream", "consumer"},
        {"lagThreshold", "activationLagThreshold", "useHttps"},
    ),
    "prometheus": ({"serverAddress", "query", "threshold"}, {"activationThreshold", "namespace"}),
}
"""KEDA's documentation of each scaler: what it needs, what it takes beside that."""


def scaling_problems(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    """Say what is scaled by nobody, by two, or by what does not work."""
    targets: list[str] = []
    for each in manifests:
        if each["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}:
            targets.append(each["spec"]["scaleTargetRef"]["name"])
            yield from _bounds(each)
        if each["kind"] == "ScaledObject":
            yield from _triggers(each)
    deployments = [each for each in manifests if each["kind"] == "Deployment"]
    workloads = {each["metadata"]["name"]: each for each in deployments}
    yield from (f"{name} is scaled and not there" for name in targets if name not in workloads)
    yield from (f"{name} is scaled by two" for name in set(targets) if targets.count(name) > 1)
    for name, workload in workloads.items():
        if ("replicas" in workload["spec"]) == (name in targets):
            yield f"{name}: replicas, or an autoscaler, and not both or neither"


def _bounds(scaler: Manifest) -> Iterator[str]:
    spec = scaler["spec"]
    least = spec.get("minReplicas", spec.get("minReplicaCount", 1))
    if least > spec.get("maxReplicas", spec.get("maxReplicaCount", 0)):
        yield f"{scaler['metadata']['name']}: at least more than at most"


def _triggers(scaled: Manifest) -> Iterator[str]:
    for trigger in scaled["spec"]["triggers"]:
        name = f"{scaled['metadata']['name']}, {trigger['type']}"
        needs, takes = _SCALERS.get(trigger["type"], (set[str](), set[str]()))
        metadata = trigger["metadata"]
        for missing in needs - {key for key, value in metadata.items() if value}:
            yield f"{name}: {missing} is missing"
        for unknown in metadata.keys() - needs - takes:
            yield f"{name}: {unknown} is nothing that it knows"
        for key, value in metadata.items():
            if not isinstance(value, str):
                yield f"{name}: {key} must be text"
