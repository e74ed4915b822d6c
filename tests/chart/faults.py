"""Faults that a chart can have, each as a change of rendered objects; the checks must find all."""

from collections.abc import Callable
from typing import Any

from chart.rendering import Manifest

Change = Callable[[list[Manifest]], None]


def one(manifests: list[Manifest], kind: str, part: str = "") -> Manifest:
    """Give the first object of a kind whose name has `part` in it."""
    return next(
        each for each in manifests if each["kind"] == kind and part in each["metadata"]["name"]
    )


def pod(manifests: list[Manifest], part: str = "orchestrator") -> Any:
    """Give the pod's spec of a service."""
    return one(manifests, "Deployment", part)["spec"]["template"]["spec"]


def box(manifests: list[Manifest], part: str = "orchestrator") -> Any:
    """Give its container."""
    return pod(manifests, part)["containers"][0]


def trigger(manifests: list[Manifest]) -> Any:
    """Give the metadata of a trigger of KEDA."""
    return one(manifests, "ScaledObject", "orchestrator")["spec"]["triggers"][0]["metadata"]


def _drop(where: Any, key: str) -> None:
    del where[key]


def _no_deny(all_of: list[Manifest]) -> None:
    all_of.remove(one(all_of, "NetworkPolicy", "default-deny"))


def _target(all_of: list[Manifest]) -> Any:
    return one(all_of, "HorizontalPodAutoscaler", "gateway")["spec"]


def _label(all_of: list[Manifest]) -> Any:
    return one(all_of, "Deployment", "store")["spec"]["template"]["metadata"]["labels"]


def _monitor_port(all_of: list[Manifest]) -> Any:
    return one(all_of, "ServiceMonitor")["spec"]["endpoints"][0]


FAULTS: dict[str, Change] = {
    # What a strict schema finds.
    "a field that there is not": lambda m: box(m).update(readinesProbe={}),
    "a field of the wrong type": lambda m: pod(m).update(terminationGracePeriodSeconds="long"),
    "a variable that is a number": lambda m: box(m)["env"].append({"name": "A", "value": 1}),
    "an API that was removed": lambda m: one(m, "PodDisruptionBudget").update(
        apiVersion="policy/v1beta1"
    ),
    # What an API server finds.
    "a selector that is not its labels": lambda m: _label(m).update(
        {"app.kubernetes.io/component": "other"}
    ),
    "a request above its limit": lambda m: box(m)["resources"]["requests"].update(memory="2Gi"),
    "a quantity that is none": lambda m: box(m)["resources"]["limits"].update(memory="much"),
    "two ports of one name": lambda m: box(m, "gateway")["ports"][0].update(name="ops"),
    "a mount without a volume": lambda m: box(m)["volumeMounts"].append(
        {"name": "gone", "mountPath": "/gone"}
    ),
    "an update that can never begin": lambda m: one(m, "Deployment")["spec"]["strategy"].update(
        rollingUpdate={"maxSurge": 0, "maxUnavailable": 0}
    ),
    "a name that is none": lambda m: one(m, "Service")["metadata"].update(name="Turnwire_Gateway"),
    "privileges": lambda m: box(m)["securityContext"].update(privileged=True),
    "an autoscaler with more at least than at most": lambda m: _target(m).update(minReplicas=99),
    "a budget that says both": lambda m: one(m, "PodDisruptionBudget")["spec"].update(
        minAvailable=1
    ),
    "a policy with a port that is none": lambda m: one(m, "NetworkPolicy", "gateway")["spec"][
        "ingress"
    ][0]["ports"][0].update(port="htp"),
    # What KEDA finds, when it runs.
    "a field that KEDA has not": lambda m: trigger(m).update(lagTreshold="5"),
    "a number where KEDA wants text": lambda m: trigger(m).update(lagThreshold=5),
    "no stream to look at": lambda m: _drop(trigger(m), "stream"),
    # What nobody finds.
    "a probe of a port that there is not": lambda m: box(m)["readinessProbe"]["httpGet"].update(
        port="health"
    ),
    "an autoscaler of nothing": lambda m: _target(m)["scaleTargetRef"].update(name="gatewy"),
    "a Service of a port that there is not": lambda m: one(m, "Service")["spec"]["ports"][0].update(
        targetPort="web"
    ),
    "liveness that depends on peers": lambda m: box(m)["livenessProbe"]["httpGet"].update(
        path="/readyz"
    ),
    "replicas beside an autoscaler": lambda m: one(m, "Deployment", "gateway")["spec"].update(
        replicas=2
    ),
    "neither replicas nor an autoscaler": lambda m: _drop(
        one(m, "Deployment", "store")["spec"], "replicas"
    ),
    "a budget of nothing": lambda m: one(m, "PodDisruptionBudget")["spec"]["selector"][
        "matchLabels"
    ].update({"app.kubernetes.io/component": "other"}),
    "a Secret that nobody named": lambda m: next(
        each for each in pod(m)["volumes"] if "secret" in each
    )["secret"].update(secretName="turnwire-nkey"),
    "a ConfigMap that is not there": lambda m: next(
        each for each in pod(m)["volumes"] if "configMap" in each
    )["configMap"].update(name="turnwire-fles"),
    "a file that is not in its ConfigMap": lambda m: _drop(
        one(m, "ConfigMap", "files")["data"], "backends.yaml"
    ),
    "an account that is not there": lambda m: pod(m).update(serviceAccountName="other"),
    "root": lambda m: pod(m)["securityContext"].update(runAsNonRoot=False),
    "a root that can be written": lambda m: box(m)["securityContext"].update(
        readOnlyRootFilesystem=False
    ),
    "capabilities": lambda m: _drop(box(m)["securityContext"], "capabilities"),
    "no seccomp profile": lambda m: _drop(pod(m)["securityContext"], "seccompProfile"),
    "variables of Services": lambda m: _drop(pod(m), "enableServiceLinks"),
    "a token of the API": lambda m: _drop(pod(m), "automountServiceAccountToken"),
    "a folder of the node": lambda m: (
        pod(m)["volumes"][0].update(hostPath={"path": "/"}) or pod(m)["volumes"][0].pop("emptyDir")
    ),
    "the latest image": lambda m: box(m).update(image="ghcr.io/turnwire/turnwire:latest"),
    "no limit of memory": lambda m: _drop(box(m)["resources"], "limits"),
    "a death before the drain is over": lambda m: pod(m).update(terminationGracePeriodSeconds=60),
    "a variable that is set twice": lambda m: box(m)["env"].append(box(m)["env"][0]),
    "no policy that closes": _no_deny,
    "a policy that lets everything out": lambda m: one(m, "NetworkPolicy", "guard")["spec"][
        "egress"
    ].append({}),
    "a policy for pods that are not there": lambda m: one(m, "NetworkPolicy", "store")["spec"][
        "podSelector"
    ]["matchLabels"].update({"app.kubernetes.io/component": "stor"}),
    "a route to a Service that is not there": lambda m: one(m, "HTTPRoute")["spec"]["rules"][0][
        "backendRefs"
    ][0].update(name="gateway"),
    "a monitor of a port that there is not": lambda m: _monitor_port(m).update(port="metrics"),
    "a job": lambda m: m.append(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "make-streams"}}
    ),
    "a hook of the installation": lambda m: one(m, "ConfigMap")["metadata"].update(
        annotations={"helm.sh/hook": "pre-install"}
    ),
    "one thing twice": lambda m: m.append(one(m, "Service")),
}
