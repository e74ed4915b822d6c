"""What is for people without Helm, and the values for the charts of others."""

import json

import pytest
import yaml

from architecture.house import ROOT
from chart.checks import problems
from chart.faults import one
from chart.manifests import FILE, FOLDER, OBSERVABILITY, copies, written
from chart.rendering import CHART, NEWEST, OLDEST, profile, render
from chart.schemas import schema_problems

pytestmark = pytest.mark.chart

EXAMPLES = ROOT / "deploy" / "k8s" / "examples"
SECRETS = {"turnwire-nkeys", "turnwire-mongodb", "turnwire-keys"}


def test_the_manifests_are_the_chart_rendered() -> None:
    assert FILE.read_text(encoding="utf-8") == written(), "run: make manifests"


def test_the_chart_brings_the_alerts_and_dashboards_byte_for_byte() -> None:
    made = {copy: original.read_bytes() for original, copy in copies()}
    folders = (CHART / "files" / name for name in ("alerts", "dashboards"))
    there = {file for folder in folders for file in folder.iterdir()}
    assert {file: file.read_bytes() for file in there} == made, "run: make manifests"


def test_rules_and_panels_are_rendered_as_they_are_written() -> None:
    rendered = render(profile("monitoring"))
    rules = yaml.safe_load((OBSERVABILITY / "rules" / "turnwire.yaml").read_text(encoding="utf-8"))
    assert one(rendered, "PrometheusRule")["spec"] == rules
    for dashboard in (OBSERVABILITY / "dashboards").glob("*.json"):
        data = one(rendered, "ConfigMap", f"-dashboard-{dashboard.stem}")["data"]
        assert data == {dashboard.name: dashboard.read_text(encoding="utf-8")}


def test_both_ways_to_scrape_give_the_job_that_panels_ask_for() -> None:
    scraped = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text(encoding="utf-8"))
    [endpoint] = one(render(profile("monitoring")), "ServiceMonitor")["spec"]["endpoints"]
    job = scraped["scrape_configs"][0]["job_name"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": job}]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_manifests_are_valid_and_fit_one_another(version: str) -> None:
    manifests = [*yaml.safe_load_all(FILE.read_text(encoding="utf-8"))]
    assert schema_problems(manifests, version) == []
    assert problems(manifests, SECRETS) == []


def test_the_list_of_manifests_names_files_that_are_there() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    assert all((FOLDER / name).is_file() for name in listed["resources"])


def test_the_broker_of_the_examples_keeps_what_the_services_need() -> None:
    values = yaml.safe_load((EXAMPLES / "nats-values.yaml").read_text(encoding="utf-8"))
    config = values["config"]
    assert config["cluster"]["enabled"]
    assert config["cluster"]["replicas"] == 3
    assert config["jetstream"]["fileStore"]["enabled"]
    # Streams that live in memory are counted against it.
    assert config["jetstream"]["memoryStore"]["enabled"]
    assert config["monitor"]["enabled"]
    assert json.dumps(config["merge"]["max_payload"]) == '"<< 8MB >>"'
    # Questions would go for minutes to a service that the network has lost.
    assert (config["merge"]["ping_interval"], config["merge"]["ping_max"]) == ("2s", 2)
