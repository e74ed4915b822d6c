"""Each profile of values: linted, installed dry, valid for two versions, and of one piece."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, cast

import pytest

from chart.checks import problems
from chart.faults import FAULTS
from chart.rendering import (
    BETWEEN,
    NEWEST,
    OLDEST,
    PROFILES,
    Manifest,
    Values,
    install_dry,
    lint,
    profile,
    render,
)
from chart.schemas import schema_problems

pytestmark = pytest.mark.chart


@pytest.mark.parametrize("version", [OLDEST, BETWEEN, NEWEST])
@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_linted_strictly(name: str, version: str) -> None:
    assert lint(profile(name), version) == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_installs_without_a_cluster(name: str) -> None:
    release = install_dry(profile(name))
    assert release["manifest"]
    assert "turnwire keys create" in release["notes"]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", PROFILES)
def test_every_object_of_a_profile_is_valid(name: str, version: str) -> None:
    assert schema_problems(render(profile(name)), version) == []


@pytest.mark.parametrize("name", PROFILES)
def test_the_objects_of_a_profile_fit_one_another(name: str) -> None:
    values = profile(name)
    assert problems(render(values), {*_texts(values)}) == []


@pytest.fixture(scope="module")
def everything() -> tuple[list[Manifest], set[str]]:
    """The objects of a release that has everything, and the Secrets that the operator brings."""
    values = {**profile("ha"), "serviceMonitor": {"enabled": True}}
    return render(values), {*_texts(values)}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(everything: tuple[list[Manifest], set[str]], fault: str) -> None:
    manifests, secrets = deepcopy(everything[0]), everything[1]
    FAULTS[fault](manifests)
    changed = [each for each in manifests if each not in everything[0]]
    # The checks look at what is valid: types are the schemas' business.
    assert schema_problems(changed, NEWEST) or problems(manifests, secrets)


def _texts(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, dict):
        for each in cast("Values", values).values():
            yield from _texts(each)
    elif isinstance(values, list):
        for each in cast("list[Any]", values):
            yield from _texts(each)
