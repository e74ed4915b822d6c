"""Metrics of this process: a family is defined once, its children are bound once.

What is counted is held here as plain numbers, and `prometheus_client` is given them when `/metrics`
is read. Its own children take a lock for each number, and an `observe` of theirs goes through a
dozen objects: that made 4 % of a turn's CPU, and this makes 1 %.
"""

from bisect import bisect_left
from collections.abc import Generator, Iterable, Sequence
from itertools import accumulate
from typing import Final, Generic, Literal, Protocol, TypeVar, cast

from msgspec import Struct
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import (
    floatToGoString,  # pyright: ignore[reportUnknownVariableType] -- it has no types
)

OTHER: Final = "_other"
"""The value of a label whose own value is on no list."""

MOST_SERIES: Final = 500
"""Children of one family; further ones are counted under `_other`, whatever let them through."""

Kind = Literal["counter", "gauge", "histogram"]

EVERY: Final = ("gateway", "orchestrator", "tool-runner", "guard", "store")
"""The services, by their names."""


class CounterChild(Protocol):
    """A child of a counter."""

    def inc(self, amount: float = 1) -> None:
        """Count so many more."""
        ...


class GaugeChild(Protocol):
    """A child of a gauge."""

    def set(self, value: float) -> None:
        """Say what it is now."""
        ...

    def inc(self, amount: float = 1) -> None:
        """Raise it."""
        ...

    def dec(self, amount: float = 1) -> None:
        """Lower it."""
        ...


class Observed(Protocol):
    """A child of a histogram."""

    def observe(self, amount: float) -> None:
        """Add one reading."""
        ...


ChildT = TypeVar("ChildT")


class Definition(Struct, frozen=True):
    """What docs and dashboards are checked against."""

    name: str
    kind: Kind
    help: str
    unit: str
    services: tuple[str, ...]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def sample(self) -> str:
        """The name that stands in `/metrics`: of a histogram, that of its sum's readings."""
        return f"{self.name}_count" if self.kind == "histogram" else self.name


class _Nothing:
    """Stands for every child where metrics are switched off."""

    def set(self, value: float) -> None:
        pass

    def inc(self, amount: float = 1) -> None:
        pass

    def dec(self, amount: float = 1) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


class _Number(Struct, eq=False):
    """What a counter or a gauge says. One thread counts, another may read."""

    value: float = 0.0

    def set(self, value: float) -> None:
        self.value = value

    def inc(self, amount: float = 1) -> None:
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        self.value -= amount


class _Readings(Struct, eq=False):
    """What a histogram says."""

    bounds: tuple[float, ...]
    """The greatest reading of each bucket but the last, which has no bound."""
    numbers: list[int]
    """How many readings are in each bucket."""
    total: float = 0.0

    def observe(self, amount: float) -> None:
        self.total += amount
        self.numbers[bisect_left(self.bounds, amount)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Count up, as Prometheus does: a bucket has all readings that are not above its bound."""
        bounds = [str(floatToGoString(bound)) for bound in (*self.bounds, float("inf"))]
        return list(zip(bounds, accumulate(self.numbers), strict=True))


class MetricsRegistry:
    """What this process exposes; one a process, as the process is what is measured."""

    def __init__(self) -> None:
        self.on = True
        """Whether anything is counted; to be set before the first child is bound."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Write `/metrics`; takes 8 µs a line, so not on the event loop."""
        return generate_latest(self.registry)


EXPOSED: Final = MetricsRegistry()
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Family(Collector, Generic[ChildT]):
    """One metric; calling it with the values of its labels gives a child."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._children: dict[tuple[str, ...], ChildT] = {}

    def __call__(self, *values: str) -> ChildT:
        """Give the child for these values, in the order of the labels."""
        child = self._children.get(values)
        return self._bound(values) if child is None else child

    def collect(self) -> Generator[Metric]:
        """Give what its children say now; in a thread, while the event loop counts on."""
        about = self.definition
        arguments = (about.name, about.help)
        match about.kind:
            case "counter":
                made = CounterMetricFamily(*arguments, labels=about.labels)
            case "gauge":
                made = GaugeMetricFamily(*arguments, labels=about.labels)
            case "histogram":
                made = HistogramMetricFamily(*arguments, labels=about.labels)
        for values, child in list(self._children.items()):
            match child, made:
                case _Readings(), HistogramMetricFamily():
                    made.add_metric(values, child.buckets(), child.total)
                case _Number(), CounterMetricFamily() | GaugeMetricFamily():
                    made.add_metric(values, child.value)
                case _:
                    raise TypeError(f"{about.name} has a child of another kind")
        yield made

    def _bound(self, values: tuple[str, ...]) -> ChildT:
        if len(values) != len(self.definition.labels):
            raise ValueError(f"{self.definition.name} has labels {self.definition.labels}")
        if len(self._children) >= MOST_SERIES:
            values = (OTHER,) * len(values)
        return self._children.setdefault(values, self._made())

    def _made(self) -> ChildT:
        if not EXPOSED.on:
            return cast("ChildT", _Nothing())
        if not self._children:
            EXPOSED.registry.register(self)
        if self.definition.kind == "histogram":
            bounds = self.definition.buckets
            return cast("ChildT", _Readings(bounds, [0] * (len(bounds) + 1)))
        return cast("ChildT", _Number())


def counter(
    name: str, text: str, services: Sequence[str], labels: Sequence[str] = (), unit: str = ""
) -> Family[CounterChild]:
    """Define what only grows; `name` ends in `_total`."""
    about = Definition(name, "counter", text, unit, tuple(services), tuple(labels))
    return Family(about)


def gauge(
    name: str, text: str, services: Sequence[str], labels: Sequence[str] = (), unit: str = ""
) -> Family[GaugeChild]:
    """Define what rises and falls."""
    about = Definition(name, "gauge", text, unit, tuple(services), tuple(labels))
    return Family(about)


def histogram(
    name: str, text: str, services: Sequence[str], labels: Sequence[str], buckets: Sequence[float]
) -> Family[Observed]:
    """Define what is read in seconds or tokens; the unit is the name's last word."""
    unit = name.rpartition("_")[2]
    about = Definition(
        name, "histogram", text, unit, tuple(services), tuple(labels), tuple(buckets)
    )
    return Family(about)


def families_in(values: Iterable[object]) -> tuple[Family[object], ...]:
    """Give those that are families."""
    return tuple(cast("Family[object]", each) for each in values if isinstance(each, Family))
