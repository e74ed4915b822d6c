"""`values.schema.json` of the Helm chart: every object is closed, every value is described."""

import json
from typing import Any

from pydantic.fields import FieldInfo
from settings_page import PREFIX, readings

JSON = dict[str, Any]

_MANAGED = {
    "nats_url", "nats_nkey_seed_file", "nats_credentials", "nats_ca", "stream_replicas", "drain_s",
    "health_host", "health_port", "host", "port", "mongodb_url", "backend_url", "backend_api",
    "backend_api_key", "key_pepper", "view_key", "seal_key", "backends", "guard_policy",
    "mcp_servers", "prompts", "limits",
}  # fmt: skip
"""What the chart itself says, from values of their own."""

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_TYPES = {bool: "boolean", int: "integer", float: "number"}
_NAME = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"


def chart_settings() -> str:
    """Write `files/settings.yaml`: which settings each service reads."""
    read_by: dict[str, list[str]] = {}
    for name, read in readings().items():
        for reader, _ in read:
            if "`" not in reader:
                read_by.setdefault(reader, []).append(PREFIX + name.upper())
    lines = ["# Written by docs/generate.py: which settings each service reads."]
    for reader, names in sorted(read_by.items()):
        lines += [f"{reader}:", *(f"  - {name}" for name in names)]
    return "\n".join(lines) + "\n"


def chart_schema() -> str:
    """Write the schema as JSON."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> JSON:
    """Give the schema."""
    properties = {
        "global": {"type": "object", "description": "Helm's own; the chart reads nothing of it."},
        "nameOverride": _text("Takes the place of the chart's name in labels."),
        "fullnameOverride": _text("Takes the place of release and chart name in all names."),
        "image": _image(),
        "settings": _settings(),
        **_peers(),
        **_services(),
        **_entrances(),
        "networkPolicy": _network(),
        **_monitoring(),
        **_trying(),
        "extraObjects": {
            "type": "array",
            "items": {"type": ["object", "string"]},
            "description": "Objects to install with the chart; templates in them are rendered.",
        },
    }
    closed = _object("", **properties)
    del closed["description"]
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "Values of the Turnwire chart",
        **closed,
    }


def _image() -> JSON:
    return _object(
        "The image; one for all five services.",
        registry=_text("Its registry; empty: the cluster's default."),
        repository=_text("Its name there.", minLength=1),
        tag=_text(
            "Its tag; empty: the chart's appVersion.",
            pattern="^[\\w.-]*$",
            **{"not": {"const": "latest"}},
        ),
        digest=_text("Its digest, instead of a tag.", pattern="^(sha256:[0-9a-f]{64})?$"),
        pullPolicy={"enum": ["Always", "IfNotPresent", "Never"], "description": "When to pull it."},
        pullSecrets=_list("Names of Secrets to pull it with.", {"type": "string"}),
    )


def _settings() -> JSON:
    found: JSON = {}
    for name, read in readings().items():
        services = [(who, field) for who, field in read if "`" not in who]
        if services and name not in _MANAGED:
            found[PREFIX + name.upper()] = _setting(services)
    return _object(
        "Settings of the services; each goes to those that read it. docs/settings.md has them all.",
        **found,
    )


def _setting(read: list[tuple[str, FieldInfo]]) -> JSON:
    field = read[0][1]
    kind = next((word for python, word in _TYPES.items() if field.annotation is python), "string")
    limits = {
        word: getattr(rule, name)
        for rule in field.metadata
        for name, word in {**_LIMITS, "pattern": "pattern"}.items()
        if getattr(rule, name, None) is not None
    }
    who = ", ".join(dict.fromkeys(service for service, _ in read))
    return {"type": kind, **limits, "description": f"{field.description} Read by: {who}."}


def _peers() -> JSON:
    return {
        "nats": _object(
            "The broker.",
            url=_text("Its URL.", pattern="^((nats|tls)://.+)?$"),
            replicas=_whole("How many of its nodes keep each stream.", 1, 5),
            auth=_object(
                "Who the services are there.",
                mode={
                    "enum": ["nkey", "credentials", "none"],
                    "description": "By nkey seeds, credentials files (JWT), or not at all.",
                },
                existingSecret=_name(
                    "The Secret with `<service>.seed` or `<service>.creds` for each service."
                ),
            ),
            tls=_object("Its TLS.", caSecret=_key("The CA it is checked by; empty: the system's.")),
            monitoring=_object(
                "Where KEDA reads the lag of turns.",
                endpoint=_text("host:port, without a scheme; of a cluster the headless service."),
                account=_text("The account that has the streams.", minLength=1),
                useHttps=_flag("Whether it is asked by https."),
            ),
        ),
        "mongodb": _object(
            "The database of the views.", existingSecret=_key("The Secret with its URI.")
        ),
        "backend": _object(
            "The inference server.",
            url=_text("Its base, ending in /v1.", pattern="^(https?://.+)?$"),
            api={"enum": ["auto", "responses", "chat"], "description": "How it is asked."},
            existingSecret=_key("The Secret with the bearer token it wants; empty: none."),
        ),
        "secrets": _object(
            "Secrets of Turnwire's own; each a random text.",
            keyPepper=_key("What API keys are hashed with."),
            viewKey=_key("What the keys of the views are wrapped with: keep a copy elsewhere."),
            sealKey=_key("What secrets for MCP servers travel sealed with."),
        ),
        "files": _object(
            "The operator's files, as text. Names of variables in them: `extraEnv` of the service.",
            backends=_text("Several inference servers (docs/operations.md)."),
            guardPolicy=_text("The guard's policy (docs/guard.md). Set: every turn is judged."),
            mcpServers=_text("MCP servers by label (docs/tools.md)."),
            prompts=_text("Prompt templates (docs/state.md)."),
            limits=_text("Limits of tenants and keys (docs/limits.md)."),
        ),
    }


def _services() -> JSON:
    service = _object(
        "The Service of the API.",
        type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"], "description": "Its type."},
        port=_whole("Its port.", 1, 65535),
        annotations=_texts("Annotations of it."),
    )
    by_cpu = {"targetCPU": _whole("Per cent of the CPU request.", 1, 100)}
    by_lag = {
        **by_cpu,
        "turnsPerReplica": _whole("keda: turns that wait or run, for each replica.", 1),
        "backgroundTurnsPerReplica": _whole("keda: the same of background turns.", 1),
        "fallbackReplicas": _whole("keda: how many while the broker cannot be asked.", 1),
    }
    by_calls = {
        "metric": _text("The metric of calls in flight."),
        "callsPerReplica": _whole("Calls in flight for each replica.", 1),
        "prometheusAddress": _text("keda: the Prometheus that has the metric."),
        "fallbackReplicas": _whole("keda: how many while Prometheus cannot be asked.", 1),
    }
    runtime = {"runtimeClassName": _text("A runtime that isolates it more, such as gVisor.")}
    optional = {"enabled": _flag("Whether it runs.")}
    return {
        "gateway": _service(
            "HTTP for clients.",
            service=service,
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


def _service(description: str, **more: JSON) -> JSON:
    bag: JSON = {"type": "object", "description": "As in a pod."}
    bags = _list("As in a pod.", {"type": "object"})
    return _object(
        description,
        replicas=_whole("How many, without autoscaling.", 0),
        drainSeconds={
            "type": "number",
            "minimum": 0,
            "description": "How long it finishes what it has begun when it is to end.",
        },
        preStopSeconds=_whole("How long it goes on as before, until nobody sends it more.", 0),
        terminationGracePeriodSeconds=_whole("When it is killed; longer than both.", 1),
        resources={"type": "object", "description": "Requests and limits."},
        pdb=_object(
            "Its PodDisruptionBudget, where there are two or more.",
            enabled=_flag("Whether there is one."),
            maxUnavailable={"type": ["integer", "string"], "description": "How many may be away."},
        ),
        extraEnv=bags,
        extraEnvFrom=bags,
        extraVolumes=bags,
        extraVolumeMounts=bags,
        podLabels=_texts("Labels of its pods."),
        podAnnotations=_texts("Annotations of its pods."),
        priorityClassName=_text("Its priority class."),
        nodeSelector=_texts("Which nodes it may run on."),
        tolerations=bags,
        affinity=bag,
        **more,
    )


def _scaling(modes: list[str], more: JSON) -> JSON:
    return _object(
        "How many run.",
        mode={"enum": modes, "description": "By nothing, by an autoscaler, or by KEDA."},
        minReplicas=_whole("At least so many.", 1),
        maxReplicas=_whole("At most so many.", 1),
        **more,
    )


def _entrances() -> JSON:
    return {
        "ingress": _object(
            "An Ingress for the API; its annotations must keep streams unbuffered and open.",
            enabled=_flag("Whether there is one."),
            className=_text("Its class."),
            host=_text("Its host."),
            tlsSecret=_name("The Secret with its certificate."),
            annotations=_texts("Its annotations."),
        ),
        "httpRoute": _object(
            "A route of the Gateway API.",
            enabled=_flag("Whether there is one."),
            parentRefs=_list("The Gateways it belongs to.", {"type": "object"}),
            hostnames=_list("Its hosts.", {"type": "string"}),
            requestTimeout=_text("How long a request may take; 0s: no limit.", pattern="^\\d+m?s$"),
        ),
    }


def _network() -> JSON:
    peers = {"type": "object"}
    rules = {
        name: _list(f"Egress rules of {who}.", peers)
        for name, who in {
            "all": "every service",
            "gateway": "the gateway; empty and an OIDC issuer is set: port 443 anywhere",
            "orchestrator": "the orchestrator; empty: the port of backend.url anywhere",
            "toolRunner": "the tool-runner, beside the open internet",
            "guard": "the guard",
        }.items()
    }
    return _object(
        "Network policies: nothing may talk but what is named.",
        enabled=_flag("Whether there are any."),
        clients=_list("Peers that may reach the gateway; empty: all.", peers),
        monitoring=_list("Peers that may reach the ops ports; empty: none.", peers),
        dns=_list("Peers that resolve names.", peers),
        nats=_target("The broker"),
        mongodb=_target("The database"),
        egress=_object("What else may be reached.", **rules),
        privateRanges=_list("What the tool-runner never reaches unasked.", {"type": "string"}),
    )


def _target(what: str) -> JSON:
    return _object(
        f"{what}.",
        to=_list("Its peers; empty: anywhere.", {"type": "object"}),
        ports=_list("Its ports.", {"type": "integer"}),
    )


def _monitoring() -> JSON:
    labels = _texts("Labels by which it is found.")
    return {
        "serviceMonitor": _object(
            "For the Prometheus operator: asks each process on its ops port.",
            enabled=_flag("Whether there is one."),
            labels=labels,
            interval=_text("How often.", pattern="^\\d+(ms|s|m)$"),
        ),
        "prometheusRule": _object(
            "The alerts in files/alerts.", enabled=_flag("Whether there are any."), labels=labels
        ),
        "dashboards": _object(
            "The dashboards in files/dashboards, for Grafana's sidecar.",
            enabled=_flag("Whether there are any."),
            labels=labels,
        ),
    }


def _trying() -> JSON:
    def small(what: str) -> JSON:
        return _object(
            f"{what}: one replica, no users.",
            enabled=_flag("Whether it runs."),
            image=_text("Its image."),
            storage=_text("The size of its volume."),
            removed=_flag("Say on an upgrade that it may go, with what it keeps."),
        )

    return {
        "test": _object(
            "What `helm test` asks with.",
            apiKeySecret=_key("The Secret with an API key; empty: there is no test."),
            model=_text("The model it asks; empty: the first one."),
        ),
        "dev": _object(
            "Small ones in the chart, for trying it; not for what must not be lost.",
            nats=small("A broker"),
            mongodb=small("A database"),
        ),
        "upgrade": _object(
            "What an upgrade may do although something is lost.",
            allowDowngrade=_flag("Go to an older chart."),
            allowFewerReplicas=_flag("Keep each stream on fewer nodes."),
        ),
    }


def _object(description: str, **properties: JSON) -> JSON:
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
    }


def _text(description: str, **limits: Any) -> JSON:
    return {"type": "string", **limits, "description": description}


def _name(description: str) -> JSON:
    return _text(description, pattern=_NAME)


def _key(description: str) -> JSON:
    name, key = _name("Its name."), _text("The key in it.", minLength=1)
    return _object(description, name=name, key=key)


def _flag(description: str) -> JSON:
    return {"type": "boolean", "description": description}


def _whole(description: str, least: int, most: int | None = None) -> JSON:
    limits = {"minimum": least} | ({} if most is None else {"maximum": most})
    return {"type": "integer", **limits, "description": description}


def _list(description: str, items: JSON) -> JSON:
    return {"type": "array", "items": items, "description": description}


def _texts(description: str) -> JSON:
    values = {"type": ["string", "boolean", "number"]}
    return {"type": "object", "additionalProperties": values, "description": description}
