"""Each alert fires when it should and not before, and leads to a page that says what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from architecture.house import ROOT
from turnwire_testing import fast_yaml
from turnwire_testing.promql import Samples

RULES = ROOT / "deploy" / "observability" / "rules" / "turnwire.yaml"
CASES: dict[str, Any] = fast_yaml.load(RULES.with_name("cases.yaml").read_text())
ALERTS: dict[str, Any] = {
    rule["alert"]: rule
    for group in fast_yaml.load(RULES.read_text())["groups"]
    for rule in group["rules"]
}

PROMTOOL = shutil.which("promtool")
JUDGES = ("here", *([PROMTOOL] if PROMTOOL else []))
"""Prometheus' own tool judges too, where it is installed (Debian: the package `prometheus`)."""


def test_every_alert_has_its_cases() -> None:
    assert list(CASES) == sorted(CASES, key=list(ALERTS).index)
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_when_it_should(name: str) -> None:
    case = CASES[name]["fires"]
    assert _firing(name, case) == case["labels"]


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_is_silent_just_below(name: str) -> None:
    assert _firing(name, CASES[name]["silent"]) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_waits_as_long_as_it_says(name: str) -> None:
    case = CASES[name]["fires"]
    minutes = _minutes(ALERTS[name])
    early = {**case, "at": minutes - 1}
    assert minutes == 0 or _firing(name, early) == []


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_names_its_section_of_the_runbooks(name: str) -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    rule = ALERTS[name]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
    assert f"\n## {name}\n" in page
    assert rule["labels"]["severity"] in {"critical", "warning"}


def test_the_runbooks_have_no_section_of_an_alert_that_is_gone() -> None:
    page = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## (Turnwire\w+)$", page, re.MULTILINE)) == set(ALERTS)


@pytest.mark.parametrize("judge", JUDGES)
def test_all_judges_agree(judge: str, tmp_path: Path) -> None:
    if judge == "here":
        assert all(_firing(name, case) == case.get("labels", []) for name, case in _all_cases())
        return
    file = tmp_path / "test.yaml"
    tests = [_as_promtool(name, case) for name, case in _all_cases()]
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": tests}))
    command = (judge, "test", "rules", str(file))
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _all_cases() -> list[tuple[str, dict[str, Any]]]:
    return [(name, case) for name, both in CASES.items() for case in both.values()]


def _firing(name: str, case: dict[str, Any]) -> list[dict[str, str]]:
    rule = ALERTS[name]
    return Samples(case["series"]).firing(rule["expr"], case["at"], _minutes(rule))


def _minutes(rule: dict[str, Any]) -> int:
    return int(rule.get("for", "0m").removesuffix("m"))


def _as_promtool(name: str, case: dict[str, Any]) -> dict[str, Any]:
    rule = ALERTS[name]
    values = Samples(case["series"]).evaluated(rule["expr"], case["at"])
    alerts = [
        {
            "exp_labels": {**rule["labels"], **labels},
            "exp_annotations": {
                key: _rendered(text, labels, values[frozenset(labels.items())])
                for key, text in rule["annotations"].items()
            },
        }
        for labels in case.get("labels", [])
    ]
    return {
        "name": name,
        "interval": "1m",
        "input_series": [
            {"series": series, "values": run} for series, run in case["series"].items()
        ],
        "alert_rule_test": [
            {"eval_time": f"{case['at']}m", "alertname": name, "exp_alerts": alerts}
        ],
    }


def _rendered(text: str, labels: dict[str, str], value: float) -> str:
    text = text.replace("{{ $value }}", f"{value:g}")
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)
