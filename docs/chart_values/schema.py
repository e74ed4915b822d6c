"""`values.schema.json` of the Helm chart: every object is closed, every value is described."""

import json

from pydantic.fields import FieldInfo
from settings_page import PREFIX, readings

from chart_values.shapes import (
    JSON,
    closed,
    flag,
    items,
    labels,
    object_name,
    secret_key,
    text,
    whole,
)
from chart_values.workloads import workloads

_MANAGED = {
    "nats_url", "nats_nkey_seed_file", "nats_credentials", "nats_ca", "stream_replicas", "drain_s",
    "health_host", "health_port", "host", "port", "mongodb_url", "backend_url", "backend_api",
    "backend_api_key", "key_pepper", "view_key", "seal_key", "backends", "guard_policy",
    "mcp_servers", "prompts", "limits", "console_oidc_client_secret",
}  # fmt: skip
"""What the chart itself says, from values of their own."""

_LIMITS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_TYPES = {bool: "boolean", int: "integer", float: "number"}


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
        "nameOverride": text("Takes the place of the chart's name in labels."),
        "fullnameOverride": text("Takes the place of release and chart name in all names."),
        "image": _image(),
        "settings": _settings(),
        **_peers(),
        **_own(),
        **workloads(),
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
    values = closed("", **properties)
    del values["description"]
    return {
        "$schema": "https://json-schema.org/draft-07/schema#",
        "title": "Values of the Turnwire chart",
        **values,
    }


def _image() -> JSON:
    return closed(
        "The image; one for all five services.",
        registry=text("Its registry; empty: the cluster's default."),
        repository=text("Its name there.", minLength=1),
        tag=text(
            "Its tag; empty: the chart's appVersion.",
            pattern="^[\\w.-]*$",
            **{"not": {"const": "latest"}},
        ),
        digest=text("Its digest, instead of a tag.", pattern="^(sha256:[0-9a-f]{64})?$"),
        pullPolicy={"enum": ["Always", "IfNotPresent", "Never"], "description": "When to pull it."},
        pullSecrets=items("Names of Secrets to pull it with.", {"type": "string"}),
    )


def _settings() -> JSON:
    found: JSON = {}
    for name, read in readings().items():
        services = [(who, field) for who, field in read if "`" not in who]
        if services and name not in _MANAGED:
            found[PREFIX + name.upper()] = _setting(services)
    return closed(
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
        "nats": closed(
            "The broker.",
            url=text("Its URL.", pattern="^((nats|tls)://.+)?$"),
            replicas=whole("How many of its nodes keep each stream.", 1, 5),
            auth=closed(
                "Who the services are there.",
                mode={
                    "enum": ["nkey", "credentials", "none"],
                    "description": "By nkey seeds, credentials files (JWT), or not at all.",
                },
                existingSecret=object_name(
                    "The Secret with `<service>.seed` or `<service>.creds` for each service."
                ),
            ),
            tls=closed("Its TLS.", caSecret=secret_key("Its CA; empty: the system's.")),
            monitoring=closed(
                "Where KEDA reads the lag of turns.",
                endpoint=text("host:port, without a scheme; of a cluster the headless service."),
                account=text("The account that has the streams.", minLength=1),
                useHttps=flag("Whether it is asked by https."),
            ),
        ),
        "mongodb": closed(
            "The database of the views.", existingSecret=secret_key("The Secret with its URI.")
        ),
        "backend": closed(
            "The inference server.",
            url=text("Its base, ending in /v1.", pattern="^(https?://.+)?$"),
            api={"enum": ["auto", "responses", "chat"], "description": "How it is asked."},
            existingSecret=secret_key("The Secret with the bearer token it wants; empty: none."),
        ),
    }


def _own() -> JSON:
    return {
        "secrets": closed(
            "Secrets of Turnwire's own, each a random text, and what an issuer gave the console.",
            keyPepper=secret_key("What API keys are hashed with."),
            viewKey=secret_key("What wraps the keys of the views: keep a copy elsewhere."),
            sealKey=secret_key("What secrets for MCP servers travel sealed with."),
            consoleOidc=secret_key("The secret of the console's client at the OIDC issuer."),
        ),
        "files": closed(
            "The operator's files, as text. Names of variables in them: `extraEnv` of the service.",
            backends=text("Several inference servers (docs/operations.md)."),
            guardPolicy=text("The guard's policy (docs/guard.md). Set: every turn is judged."),
            mcpServers=text("MCP servers by label (docs/tools.md)."),
            prompts=text("Prompt templates (docs/state.md)."),
            limits=text("Limits of tenants and keys (docs/limits.md)."),
        ),
    }


def _entrances() -> JSON:
    return {
        "ingress": closed(
            "An Ingress for the API; its annotations must keep streams unbuffered and open.",
            enabled=flag("Whether there is one."),
            className=text("Its class."),
            host=text("Its host."),
            tlsSecret=object_name("The Secret with its certificate."),
            annotations=labels("Its annotations."),
        ),
        "httpRoute": closed(
            "A route of the Gateway API.",
            enabled=flag("Whether there is one."),
            parentRefs=items("The Gateways it belongs to.", {"type": "object"}),
            hostnames=items("Its hosts.", {"type": "string"}),
            requestTimeout=text("How long a request may take; 0s: no limit.", pattern="^\\d+m?s$"),
        ),
    }


def _network() -> JSON:
    peers = {"type": "object"}
    rules = {
        name: items(f"Egress rules of {who}.", peers)
        for name, who in {
            "all": "every service",
            "gateway": "the gateway; empty and an OIDC issuer is set: port 443 anywhere",
            "orchestrator": "the orchestrator; empty: the port of backend.url anywhere",
            "toolRunner": "the tool-runner, beside the open internet",
            "guard": "the guard",
        }.items()
    }
    return closed(
        "Network policies: nothing may talk but what is named.",
        enabled=flag("Whether there are any."),
        clients=items("Peers that may reach the gateway; empty: all.", peers),
        monitoring=items("Peers that may reach the ops ports; empty: none.", peers),
        dns=items("Peers that resolve names.", peers),
        nats=_target("The broker"),
        mongodb=_target("The database"),
        egress=closed("What else may be reached.", **rules),
        privateRanges=items("What the tool-runner never reaches unasked.", {"type": "string"}),
    )


def _target(what: str) -> JSON:
    return closed(
        f"{what}.",
        to=items("Its peers; empty: anywhere.", {"type": "object"}),
        ports=items("Its ports.", {"type": "integer"}),
    )


def _monitoring() -> JSON:
    found_by = labels("Labels by which it is found.")
    return {
        "serviceMonitor": closed(
            "For the Prometheus operator: asks each process on its ops port.",
            enabled=flag("Whether there is one."),
            labels=found_by,
            interval=text("How often.", pattern="^\\d+(ms|s|m)$"),
        ),
        "prometheusRule": closed(
            "The alerts in files/alerts.", enabled=flag("Whether there are any."), labels=found_by
        ),
        "dashboards": closed(
            "The dashboards in files/dashboards, for Grafana's sidecar.",
            enabled=flag("Whether there are any."),
            labels=found_by,
        ),
    }


def _trying() -> JSON:
    def small(what: str) -> JSON:
        return closed(
            f"{what}: one replica, no users.",
            enabled=flag("Whether it runs."),
            image=text("Its image."),
            storage=text("The size of its volume."),
            removed=flag("Say on an upgrade that it may go, with what it keeps."),
        )

    return {
        "test": closed(
            "What `helm test` asks with.",
            apiKeySecret=secret_key("The Secret with an API key; empty: there is no test."),
            model=text("The model it asks; empty: the first one."),
        ),
        "dev": closed(
            "Small ones in the chart, for trying it; not for what must not be lost.",
            nats=small("A broker"),
            mongodb=small("A database"),
        ),
        "upgrade": closed(
            "What an upgrade may do although something is lost.",
            allowDowngrade=flag("Go to an older chart."),
            allowFewerReplicas=flag("Keep each stream on fewer nodes."),
        ),
    }
