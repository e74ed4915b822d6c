"""The changelog names the version that the packages have, and has a place for what comes next."""

import re
import tomllib

import yaml

from architecture.house import ROOT

_HEADING = re.compile(r"^## \[(?P<name>[^]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def _releases() -> list[tuple[str, str | None]]:
    """Give the headings of releases from the newest on: a name, and a date."""
    page = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    return [(found["name"], found["date"]) for found in _HEADING.finditer(page)]


def test_what_is_not_released_stands_first_and_every_release_has_its_date() -> None:
    (first, date), *released = _releases()
    assert (first, date) == ("Unreleased", None)
    assert released
    assert [name for name, date in released if date is None] == []
    dates = [date for _, date in released]
    assert dates == sorted(dates, key=str, reverse=True)


def test_the_newest_release_is_the_version_of_every_package_and_of_the_chart() -> None:
    newest = _releases()[1][0]
    said = {
        str(path.relative_to(ROOT)): tomllib.loads(path.read_text())["project"]["version"]
        for pattern in ("libs/*", "services/*", "deploy/*")
        for path in ROOT.glob(f"{pattern}/pyproject.toml")
    }
    assert len(said) >= 8
    assert said == dict.fromkeys(said, newest)
    chart = yaml.safe_load((ROOT / "deploy/k8s/turnwire/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (newest, newest)
