"""What the chart does not take: misspelt values, and those that cannot work, in a sentence."""

import json
import re
from copy import deepcopy
from pathlib import Path
from shutil import copytree
from typing import Any, cast

import pytest

from chart.rendering import CHART, ChartRefusedError, Values, profile, render

pytestmark = pytest.mark.chart

MISSPELT: dict[str, Values] = {
    "a value that there is not": {"gatway": {}},
    "a value within a service": {"gateway": {"replica": 2}},
    "a setting that there is not": {"settings": {"TURNWIRE_MAX_TURN": 3}},
    "a setting that the chart manages": {"settings": {"TURNWIRE_NATS_URL": "nats://x"}},
    "a secret among the settings": {"settings": {"TURNWIRE_BACKEND_API_KEY": "sk"}},
    "a setting below its limit": {"settings": {"TURNWIRE_MAX_TURNS": 0}},
    "a setting of the wrong type": {"settings": {"TURNWIRE_RETENTION_DAYS": "long"}},
    "a log level": {"settings": {"TURNWIRE_LOG_LEVEL": "loud"}},
    "the latest image": {"image": {"tag": "latest"}},
    "a digest that is none": {"image": {"digest": "sha256:1"}},
    "a broker by http": {"nats": {"url": "http://nats:4222"}},
    "six replicas of a stream": {"nats": {"replicas": 6}},
    "a gateway scaled by KEDA": {"gateway": {"autoscaling": {"mode": "keda"}}},
    "a store that is scaled": {"store": {"autoscaling": {"mode": "hpa"}}},
    "a store that is switched off": {"store": {"enabled": False}},
    "a backend without a scheme": {"backend": {"url": "vllm:8000/v1"}},
    "a time without a unit": {"httpRoute": {"requestTimeout": "0"}},
    "a negative drain": {"guard": {"drainSeconds": -1}},
    "a Secret's name that is none": {"secrets": {"keyPepper": {"name": "My Secret"}}},
}

UNWORKABLE: dict[str, tuple[Values, str]] = {
    "no broker": ({"nats": {"url": ""}}, "nats.url is empty"),
    "two brokers": ({"dev": {"nats": {"enabled": True}}}, "exclude each other"),
    "no users": ({"nats": {"auth": {"existingSecret": ""}}}, "gateway.seed, orchestrator.seed"),
    "no database": ({"mongodb": {"existingSecret": {"name": ""}}}, "mongodb.existingSecret.name"),
    "two databases": ({"dev": {"mongodb": {"enabled": True}}}, "exclude each other"),
    "no backend": ({"backend": {"url": ""}}, "backend.url is empty"),
    "two ways to backends": ({"files": {"backends": "backends: []"}}, "backend.url and files.back"),
    "backends that nobody may reach": (
        {"backend": {"url": ""}, "files": {"backends": "backends: []"}},
        "networkPolicy.egress.orchestrator",
    ),
    "no pepper": ({"secrets": {"keyPepper": {"name": ""}}}, "nobody can be let in"),
    "a policy without a guard": (
        {"files": {"guardPolicy": "policies: {}"}, "guard": {"enabled": False}},
        "guard_unavailable",
    ),
    "MCP servers without a tool-runner": (
        {"files": {"mcpServers": "servers: {}"}, "toolRunner": {"enabled": False}},
        "toolRunner.enabled",
    ),
    "tag and digest": (
        {"image": {"tag": "1", "digest": f"sha256:{'0' * 64}"}},
        "image.tag and image.digest",
    ),
    "a call that outlives the drain": ({"toolRunner": {"drainSeconds": 60}}, "unknown outcome"),
    "a longer call by a setting": (
        {"settings": {"TURNWIRE_TOOL_CALL_LIMIT_S": 900}},
        "TURNWIRE_TOOL_CALL_LIMIT_S",
    ),
    "a death before the drain": (
        {"orchestrator": {"terminationGracePeriodSeconds": 60}},
        "orchestrator.terminationGracePeriodSeconds is 60 and must be 122",
    ),
    "a gateway's death before its streams' turns": (
        {"gateway": {"terminationGracePeriodSeconds": 46}},
        "TURNWIRE_STREAM_GRACE_S",
    ),
    "a longer grace of streams": (
        {"settings": {"TURNWIRE_STREAM_GRACE_S": 60}},
        "gateway.terminationGracePeriodSeconds is 60 and must be 97",
    ),
    "at least more than at most": (
        {"guard": {"autoscaling": {"mode": "hpa", "minReplicas": 11}}},
        "guard.autoscaling.minReplicas",
    ),
    "KEDA without the broker's numbers": (
        {"orchestrator": {"autoscaling": {"mode": "keda"}}},
        "nats-headless",
    ),
    "KEDA without Prometheus": (
        {"toolRunner": {"autoscaling": {"mode": "keda"}}},
        "prometheusAddress is empty",
    ),
    "an Ingress without a host": ({"ingress": {"enabled": True}}, "ingress.host is empty"),
    "a route without a Gateway": ({"httpRoute": {"enabled": True}}, "parentRefs is empty"),
    "monitoring that is kept out": ({"serviceMonitor": {"enabled": True}}, "networkPolicy.monitor"),
}

NOW: Values = {"metadata": {"annotations": {}}}


@pytest.mark.parametrize("case", MISSPELT)
def test_a_value_that_cannot_be_is_refused(case: str) -> None:
    with pytest.raises(ChartRefusedError, match="don't meet the specifications"):
        render(_with(profile("minimal"), MISSPELT[case]))


@pytest.mark.parametrize("case", UNWORKABLE)
def test_values_that_cannot_work_are_refused_in_a_sentence(case: str) -> None:
    change, words = UNWORKABLE[case]
    with pytest.raises(ChartRefusedError, match=re.escape(words)):
        render(_with(profile("minimal"), change))


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ChartRefusedError) as refused:
        render({})
    told = str(refused.value)
    for words in ("nats.url", "nats.auth", "mongodb", "backend.url", "secrets.keyPepper"):
        assert f"- {words}" in told


def _annotated(**annotations: str) -> Values:
    named = {f"turnwire.dev/{name.replace('_', '-')}": each for name, each in annotations.items()}
    return {"metadata": {"annotations": named}}


LOSSES: dict[str, tuple[Values, Values, str]] = {
    "an older chart": (
        {"deployments": {"gateway": _annotated(chart_version="9.0.0")}},
        {"upgrade": {"allowDowngrade": True}},
        "which is newer than",
    ),
    "fewer replicas": (
        {"deployments": {"gateway": _annotated(stream_replicas="5")}},
        {"upgrade": {"allowFewerReplicas": True}},
        "each stream has 5 replicas and would have 3",
    ),
    "no view key any more": (
        {"deployments": {"store": _annotated(view_key="set")}},
        {"secrets": {"viewKey": {"name": "turnwire-keys"}}},
        "the views could not be opened",
    ),
    "no broker of its own any more": (
        {"sets": {"nats": NOW}},
        {"dev": {"nats": {"removed": True}}},
        "dev.nats runs in this release",
    ),
    "no database of its own any more": (
        {"sets": {"mongodb": NOW}},
        {"dev": {"mongodb": {"removed": True}}},
        "dev.mongodb runs in this release",
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_an_upgrade_that_loses_something_is_refused_unless_it_is_meant(
    case: str, tmp_path: Path
) -> None:
    now, meant, words = LOSSES[case]
    chart = _chart_that_sees(tmp_path, now)
    with pytest.raises(ChartRefusedError, match=re.escape(words)):
        render(profile("minimal"), chart)
    assert render(_with(profile("minimal"), meant), chart)


def test_an_upgrade_that_loses_nothing_goes_through(tmp_path: Path) -> None:
    same = _annotated(chart_version="0.1.0", stream_replicas="3")
    there: Values = {"deployments": {"gateway": same, "store": _annotated(view_key="unset")}}
    assert render(profile("minimal"), _chart_that_sees(tmp_path, there))


def _chart_that_sees(folder: Path, now: Values) -> Path:
    """Give the chart with a cluster in place of `lookup`, which finds nothing without one."""
    chart = copytree(CHART, folder / "turnwire")
    file = chart / "templates" / "validations.yaml"
    lines = file.read_text(encoding="utf-8")
    found = _LOOKUP.sub(
        lambda kind: f'(index $now "{_PARTS[kind[1]]}" $component | default dict)', lines
    )
    assert found.count("index $now") == len(_PARTS)
    state = '{{- $now := .Files.Get "files/now.yaml" | fromYaml }}\n'
    (chart / "files" / "now.yaml").write_text(json.dumps({"deployments": {}, "sets": {}, **now}))
    file.write_text(state + found, encoding="utf-8")
    return chart


_LOOKUP = re.compile(
    r'\(lookup "apps/v1" "(Deployment|StatefulSet)".*?"%s-%s" \$full \$component\)\)'
)
_PARTS = {"Deployment": "deployments", "StatefulSet": "sets"}


def _with(values: Values, change: Values) -> Values:
    """Change some values; what is not named stays."""
    changed: Any = deepcopy(values)
    for key, value in change.items():
        inner = changed.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        changed[key] = _with(cast("Values", inner), cast("Values", value)) if both else value
    return changed
