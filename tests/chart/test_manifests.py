"""What is for people without Helm, and the values for the charts of others."""

import json

import pytest
import yaml

from architecture.house import ROOT
from chart.checks import problems
from chart.manifests import FILE, FOLDER, written
from chart.rendering import NEWEST, OLDEST
from chart.schemas import schema_problems

pytestmark = pytest.mark.chart

EXAMPLES = ROOT / "deploy" / "k8s" / "examples"
SECRETS = {"turnwire-nkeys", "turnwire-mongodb", "turnwire-keys"}


def test_the_manifests_are_the_chart_rendered() -> None:
    assert FILE.read_text(encoding="utf-8") == written(), "run: make manifests"


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
