"""Metrics: children are bound once, bounded in number, and free where they are switched off."""

import asyncio

import pytest
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from turnwire_chassis.telemetry import labels, metrics, process
from turnwire_chassis.telemetry.metric import (
    EVERY,
    EXPOSED,
    MOST_SERIES,
    OTHER,
    MetricsRegistry,
    counter,
    gauge,
    histogram,
)


@pytest.fixture(autouse=True)
def exposed(monkeypatch: pytest.MonkeyPatch) -> MetricsRegistry:
    """A registry of this test."""
    fresh = MetricsRegistry()
    monkeypatch.setattr(EXPOSED, "registry", fresh.registry)
    monkeypatch.setattr(EXPOSED, "on", True)
    return EXPOSED


def test_a_child_is_bound_once() -> None:
    family = counter("turnwire_test_total", "A test.", EVERY, ("kind",))
    assert family("a") is family("a")
    family("a").inc()
    family("a").inc(2)
    assert 'turnwire_test_total{kind="a"} 3.0' in EXPOSED.text().decode()


def test_what_is_read_is_what_prometheus_clients_own_metrics_would_say() -> None:
    buckets, readings = (0.01, 0.5, 1.0, 67108864.0), (0.0, 0.01, 0.011, 0.5, 1.0, 3.0, 1e9)
    theirs = CollectorRegistry()
    disable_created_metrics()
    read = Histogram("turnwire_test_seconds", "A test.", ["kind"], registry=theirs, buckets=buckets)
    level = Gauge("turnwire_test_level", "A test.", registry=theirs)
    count = Counter("turnwire_test_total", "A test.", registry=theirs)
    ours = histogram("turnwire_test_seconds", "A test.", EVERY, ("kind",), buckets)
    for reading in readings:
        read.labels("a").observe(reading)
        ours("a").observe(reading)
    for each in (level, gauge("turnwire_test_level", "A test.", EVERY)()):
        each.inc(3)
        each.dec()
    for each in (count, counter("turnwire_test_total", "A test.", EVERY)()):
        each.inc()
    unlike = set(generate_latest(theirs).splitlines()) - set(EXPOSED.text().splitlines())
    assert unlike == set()


def test_a_family_never_has_more_series_than_it_may() -> None:
    family = counter("turnwire_test_total", "A test.", EVERY, ("kind",))
    for number in range(MOST_SERIES + 50):
        family(f"k{number}").inc()
    lines = [
        line for line in EXPOSED.text().decode().splitlines() if "turnwire_test_total{" in line
    ]
    assert len(lines) == MOST_SERIES + 1
    assert f'turnwire_test_total{{kind="{OTHER}"}} 50.0' in lines


def test_a_wrong_number_of_labels_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="has labels"):
        counter("turnwire_test_total", "A test.", EVERY, ("kind",))("a", "b")


async def test_nothing_is_counted_where_metrics_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EXPOSED, "on", False)
    family = counter("turnwire_test_total", "A test.", EVERY)
    family().inc()
    assert b"turnwire_test_total" not in EXPOSED.text()
    assert await process.exposition() is None


async def test_the_event_loop_goes_on_while_the_text_is_written() -> None:
    family = counter("turnwire_test_total", "A test.", EVERY, ("a", "b"))
    children = [family(str(one), str(two)) for one in range(20) for two in range(20)]
    assert len(children) == 400
    written = asyncio.create_task(process.exposition())
    turns = 0
    while not written.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 1
    assert (written.result() or b"").count(b"turnwire_test_total{") == 400


def test_values_that_others_choose_become_other() -> None:
    assert labels.listed("gpt-9", {"mock-model"}) == OTHER
    assert labels.listed("mock-model", {"mock-model"}) == "mock-model"
    assert labels.code("what_a_backend_says") == OTHER
    assert labels.code("backend_timeout") == "backend_timeout"
    assert labels.code(None) == ""
    assert labels.method("BREW") == OTHER
    assert labels.status_class(429) == "4xx"


def test_names_are_those_of_their_services_only() -> None:
    names = [family.definition.name for family in metrics.FAMILIES]
    assert len(names) == len(set(names))
    assert {each for family in metrics.FAMILIES for each in family.definition.services} == set(
        EVERY
    )
