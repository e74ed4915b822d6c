"""Each pod for itself: the restricted profile, its ports, files, memory, and time to end."""

import re
from collections import Counter
from collections.abc import Iterator

from chart.rendering import Manifest, pods

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|k|M|G)?")
_UNITS = {None: 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 1e3, "M": 1e6, "G": 1e9}
_VOLUMES = {"configMap", "emptyDir", "secret", "projected", "persistentVolumeClaim"}
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_PEERS = "/readyz"
"""What depends on other processes, so that liveness must not ask it."""


def pod_problems(manifests: list[Manifest], _: set[str]) -> Iterator[str]:
    """Say what is wrong in each pod."""
    for workload, pod in pods(manifests):
        name, spec = workload["metadata"]["name"], pod["spec"]
        found = [*_security(spec), *_files(workload, spec), *_ending(spec)]
        for container in spec["containers"]:
            found += [*_contained(container), *_resources(container), *_ports(container)]
        yield from (f"{name}: {problem}" for problem in found)


def _security(spec: Manifest) -> Iterator[str]:
    context = spec.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("runAsUser"):
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if any(spec.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace of its node"
    if spec.get("automountServiceAccountToken") is not False:
        yield "is given a token of the Kubernetes API"
    if spec.get("enableServiceLinks") is not False:
        # TURNWIRE_…_PORT of a Service would look like a setting.
        yield "is told of Services by variables"


def _contained(container: Manifest) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield "may gain privileges"
    if context.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "keeps capabilities"
    if not context.get("readOnlyRootFilesystem"):
        yield "may write to its root"
    image = container["image"]
    if "@sha256:" not in image and (":" not in image or image.endswith((":latest", ":"))):
        yield f"its image {image} is not pinned"
    names = Counter(each["name"] for each in container.get("env", []))
    yield from (f"{each} is set twice" for each, times in names.items() if times > 1)


def _resources(container: Manifest) -> Iterator[str]:
    wanted = container.get("resources", {})
    limits, requests = wanted.get("limits", {}), wanted.get("requests", {})
    if "memory" not in limits:
        yield "has no limit of memory"
    for what in {*limits, *requests}:
        read = [_QUANTITY.fullmatch(str(each[what])) for each in (requests, limits) if what in each]
        sizes = [float(one[1]) * _UNITS[one[2]] for one in read if one]
        if None in read:
            yield f"{what} is no quantity"
        elif sorted(sizes) != sizes:
            yield f"asks for more {what} than its limit"


def _ports(container: Manifest) -> Iterator[str]:
    ports = container.get("ports", [])
    if len({port["name"] for port in ports}) < len(ports):
        yield "two ports have one name"
    if len({port["containerPort"] for port in ports}) < len(ports):
        yield "two names are one port"
    for kind in _PROBES:
        for how, probe in container.get(kind, {}).items():
            if how not in {"httpGet", "tcpSocket"}:
                continue
            if probe["port"] not in {port["name"] for port in ports}:
                yield f"{kind} asks the port {probe['port']}, which it has not"
            if kind == "livenessProbe" and probe.get("path", "").startswith(_PEERS):
                yield "is killed when a peer is away"


def _files(workload: Manifest, spec: Manifest) -> Iterator[str]:
    claims = [each["metadata"] for each in workload["spec"].get("volumeClaimTemplates", [])]
    names = [each["name"] for each in (*spec.get("volumes", []), *claims)]
    yield from (f"the volume {each} is there twice" for each in names if names.count(each) > 1)
    mounts = [each for one in spec["containers"] for each in one.get("volumeMounts", [])]
    for lost in {each["name"] for each in mounts} ^ set(names):
        yield f"{lost} is mounted and no volume, or a volume and not mounted"
    if len({each["mountPath"] for each in mounts}) < len(mounts):
        yield "two volumes are mounted at one place"
    for volume in spec.get("volumes", []):
        if not _VOLUMES & set(volume):
            yield f"the volume {volume['name']} is of a kind that is not allowed"
        if "emptyDir" in volume and "sizeLimit" not in (volume["emptyDir"] or {}):
            yield f"the volume {volume['name']} may fill its node"


def _ending(spec: Manifest) -> Iterator[str]:
    for container in spec["containers"]:
        variables = {each["name"]: each.get("value") for each in container.get("env", [])}
        drain = float(variables.get("TURNWIRE_DRAIN_S") or 0)
        hook = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {})
        needed = drain + hook.get("seconds", 0)
        if spec.get("terminationGracePeriodSeconds", 30) <= needed:
            yield "is killed before it has drained"
