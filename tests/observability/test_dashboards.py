"""Every metric stands on a panel, and no panel or alert asks for what nobody exposes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from architecture.house import ROOT
from turnwire_chassis.telemetry.metric import Definition
from turnwire_chassis.telemetry.metrics import FAMILIES
from turnwire_testing import fast_yaml
from turnwire_testing.promql import matchers_in, names_in

FOLDER = ROOT / "deploy" / "observability"
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("dashboards/*.json")}
DEFINED = {family.definition.name: family.definition for family in FAMILIES}
FROM_CLIENT_LIBRARY = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
SCRAPED = {"job", "instance"}
"""Labels that Prometheus itself adds."""


def test_there_is_a_dashboard_for_users_operators_and_cost() -> None:
    assert set(DASHBOARDS) == {"users.json", "operators.json", "cost.json"}


def test_every_metric_stands_on_a_panel() -> None:
    shown = {_family(name) for expression in _shown() for name in names_in(expression)}
    assert set(DEFINED) - shown == set()


def test_no_panel_and_no_alert_asks_for_an_unknown_metric() -> None:
    asked = {name for expression in (*_shown(), *_alerts()) for name in names_in(expression)}
    unknown = {name for name in asked if _family(name) not in DEFINED}
    assert unknown == FROM_CLIENT_LIBRARY


def test_no_panel_and_no_alert_selects_by_a_label_that_its_metric_has_not() -> None:
    selected = {each for text in (*_shown(), *_alerts()) for each in matchers_in(text)}
    wrong = {
        (name, label)
        for name, label in selected
        if (about := DEFINED.get(_family(name))) and label not in {*about.labels, "le", *SCRAPED}
    }
    assert wrong == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_says_what_it_shows(name: str) -> None:
    panels = [panel for panel in DASHBOARDS[name]["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in panels if not panel["description"]] == []
    assert len({panel["id"] for panel in DASHBOARDS[name]["panels"]}) == len(
        DASHBOARDS[name]["panels"]
    )


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_lie_on_each_other(name: str) -> None:
    cells = [cell for panel in DASHBOARDS[name]["panels"] for cell in _cells(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("about", DEFINED.values(), ids=lambda about: about.name)
def test_a_metric_is_named_and_documented_as_prometheus_wants_it(about: Definition) -> None:
    assert about.help.endswith(".")
    assert about.services
    assert (about.kind == "counter") == about.name.endswith("_total")
    assert (about.kind == "histogram") == bool(about.buckets)
    assert not {"id", "response_id", "tenant", "user", "key", "path"} & set(about.labels)


def _family(name: str) -> str:
    for ending in ("_bucket", "_count", "_sum"):
        if name.removesuffix(ending) in DEFINED:
            return name.removesuffix(ending)
    return name


def _shown() -> Iterator[str]:
    for dashboard in DASHBOARDS.values():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield target["expr"].replace("$__rate_interval", "5m")


def _alerts() -> Iterator[str]:
    rules = fast_yaml.load((FOLDER / "rules" / "turnwire.yaml").read_text())
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def _cells(place: dict[str, Any]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y
