"""The five services among the values: what is the same for each, and what is its own."""

from chart_values.shapes import JSON, closed, flag, items, labels, text, whole


def workloads() -> JSON:
    """Give the values of each service, by its key."""
    by_cpu = {"targetCPU": whole("Per cent of the CPU request.", 1, 100)}
    by_lag = {
        **by_cpu,
        "turnsPerReplica": whole("keda: turns that wait or run, for each replica.", 1),
        "backgroundTurnsPerReplica": whole("keda: the same of background turns.", 1),
        "fallbackReplicas": whole("keda: how many while the broker cannot be asked.", 1),
    }
    by_calls = {
        "metric": text("The metric of calls in flight."),
        "callsPerReplica": whole("Calls in flight for each replica.", 1),
        "prometheusAddress": text("keda: the Prometheus that has the metric."),
        "fallbackReplicas": whole("keda: how many while Prometheus cannot be asked.", 1),
    }
    runtime = {"runtimeClassName": text("A runtime that isolates it more, such as gVisor.")}
    optional = {"enabled": flag("Whether it runs.")}
    return {
        "gateway": _service(
            "HTTP for clients.",
            service=_entrance(),
            autoscaling=_scaling(["none", "hpa"], by_cpu),
        ),
        "orchestrator": _service(
            "Drives turns.", autoscaling=_scaling(["none", "hpa", "keda"], by_lag)
        ),
        "toolRunner": _service(
            "Calls the tools of MCP servers.",
            **optional,
            **runtime,
            autoscaling=_scaling(["none", "hpa", "keda"], by_calls),
        ),
        "guard": _service(
            "Judges content.", **optional, autoscaling=_scaling(["none", "hpa"], by_cpu)
        ),
        "store": _service("Keeps the views; of several, one projects and all answer."),
    }


def _entrance() -> JSON:
    return closed(
        "The Service of the API.",
        type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"], "description": "Its type."},
        port=whole("Its port.", 1, 65535),
        annotations=labels("Annotations of it."),
    )


def _service(description: str, **more: JSON) -> JSON:
    bag: JSON = {"type": "object", "description": "As in a pod."}
    bags = items("As in a pod.", {"type": "object"})
    return closed(
        description,
        replicas=whole("How many, without autoscaling.", 0),
        drainSeconds={
            "type": "number",
            "minimum": 0,
            "description": "How long it finishes what it has begun when it is to end.",
        },
        preStopSeconds=whole(
            "How long it goes on as before, until no more requests are sent to it.", 0
        ),
        terminationGracePeriodSeconds=whole("When it is killed; longer than both.", 1),
        resources={"type": "object", "description": "Requests and limits."},
        pdb=closed(
            "Its PodDisruptionBudget, where there are two or more.",
            enabled=flag("Whether there is one."),
            maxUnavailable={"type": ["integer", "string"], "description": "How many may be away."},
        ),
        extraEnv=bags,
        extraEnvFrom=bags,
        extraVolumes=bags,
        extraVolumeMounts=bags,
        podLabels=labels("Labels of its pods."),
        podAnnotations=labels("Annotations of its pods."),
        priorityClassName=text("Its priority class."),
        nodeSelector=labels("Which nodes it may run on."),
        tolerations=bags,
        affinity=bag,
        **more,
    )


def _scaling(modes: list[str], more: JSON) -> JSON:
    return closed(
        "How many run.",
        mode={"enum": modes, "description": "By nothing, by an autoscaler, or by KEDA."},
        minReplicas=whole("At least so many.", 1),
        maxReplicas=whole("At most so many.", 1),
        **more,
    )
