"""As much of PromQL as the alert rules use, over series that a test writes down.

`promql_parser` reads the expressions.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import promql_parser as promql

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Series = Mapping[str, str]
"""By name and labels, as Prometheus writes them: values as `start+step x count`, one a minute."""

_STEP_S = 60
_LOOK_BACK = 5
_SERIES = re.compile(r"([a-zA-Z_:]+)(?:\{(.*)\})?")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_RUN = re.compile(r"(-?[\d.]+)(?:\+([\d.]+))?x(\d+)")
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
}


class Samples:
    """What a Prometheus would have scraped."""

    def __init__(self, series: Series) -> None:
        """Read series."""
        self._series = [(*_named(name), _values(run)) for name, run in series.items()]

    def firing(self, expression: str, minute: int, for_minutes: int) -> list[dict[str, str]]:
        """Give the labels of the alerts that fire: those that held for so long, without a gap."""
        if minute < for_minutes:
            return []
        held = [self.evaluated(expression, at) for at in range(minute - for_minutes, minute + 1)]
        return [dict(labels) for labels in held[-1] if all(labels in each for each in held)]

    def evaluated(self, expression: str, minute: int) -> Vector:
        """Give what an expression is at that minute."""
        return self._vector(promql.parse(expression), minute)

    def _vector(self, node: Any, minute: int) -> Vector:
        match node:
            case promql.VectorSelector():
                return self._instant(node, minute)
            case promql.ParenExpr():
                return self._vector(node.expr, minute)
            case promql.AggregateExpr():
                return _aggregated(node, self._vector(node.expr, minute))
            case promql.Call():
                return self._called(node, minute)
            case promql.BinaryExpr():
                return self._combined(node, minute)
            case _:
                raise NotImplementedError(str(node))

    def _matching(self, node: Any) -> Iterable[tuple[Labels, list[float | None]]]:
        for name, labels, values in self._series:
            given = dict(labels)
            if name == node.name and all(_matches(each, given) for each in node.matchers.matchers):
                yield labels, values

    def _instant(self, node: Any, minute: int) -> Vector:
        found: Vector = {}
        for labels, values in self._matching(node):
            recent = [v for v in values[max(0, minute - _LOOK_BACK) : minute + 1] if v is not None]
            if recent:
                found[labels] = recent[-1]
        return found

    def _called(self, node: Any, minute: int) -> Vector:
        name, arguments = node.func.name, node.args
        if name == "absent":
            selector = arguments[0]
            if self._vector(selector, minute):
                return {}
            equal = ((m.name, m.value) for m in selector.matchers.matchers)
            return {frozenset(equal): 1.0}
        if name == "histogram_quantile":
            return _quantiles(arguments[0].val, self._vector(arguments[1], minute))
        window = int(arguments[0].range.total_seconds())
        return self._increased(
            arguments[0].vector_selector, minute, window, per_second=name == "rate"
        )

    def _increased(self, node: Any, minute: int, window_s: int, *, per_second: bool) -> Vector:
        """Prometheus extrapolates to the window's ends; with whole minutes the step does that."""
        found: Vector = {}
        first = max(0, minute - window_s // _STEP_S)
        for labels, values in self._matching(node):
            seen = [value for value in values[first : minute + 1] if value is not None]
            if len(seen) > 1:
                pace = (seen[-1] - seen[0]) / ((len(seen) - 1) * _STEP_S)
                found[labels] = pace if per_second else pace * window_s
        return found

    def _combined(self, node: Any, minute: int) -> Vector:
        sign, left = str(node.op), self._vector(node.lhs, minute)
        if sign in _COMPARED:
            limit = node.rhs.val
            return {labels: each for labels, each in left.items() if _COMPARED[sign](each, limit)}
        right = self._vector(node.rhs, minute)
        match sign:
            case "and":
                return {labels: each for labels, each in left.items() if labels in right}
            case "or":
                return {**right, **left}
            case "/":
                both = {labels: each for labels, each in left.items() if labels in right}
                return {
                    labels: each / right[labels] if right[labels] else math.nan
                    for labels, each in both.items()
                }
            case _:
                raise NotImplementedError(sign)


def names_in(expression: str) -> set[str]:
    """Give the metrics that an expression reads; raises `ValueError` if it is none."""
    return {node.name for node in _nodes(promql.parse(expression))}


def matchers_in(expression: str) -> set[tuple[str, str]]:
    """Give the labels that an expression selects by, each with its metric."""
    return {
        (node.name, each.name)
        for node in _nodes(promql.parse(expression))
        for each in node.matchers.matchers
    }


def _nodes(node: Any) -> Iterable[Any]:
    match node:
        case promql.VectorSelector():
            yield node
        case promql.MatrixSelector():
            yield node.vector_selector
        case promql.ParenExpr() | promql.AggregateExpr() | promql.SubqueryExpr():
            yield from _nodes(node.expr)
        case promql.Call():
            for each in node.args:
                yield from _nodes(each)
        case promql.BinaryExpr():
            yield from _nodes(node.lhs)
            yield from _nodes(node.rhs)
        case _:
            pass


def _named(name: str) -> tuple[str, Labels]:
    found = _SERIES.fullmatch(name)
    if found is None:
        raise ValueError(f"no series: {name}")
    return found[1], frozenset(_LABEL.findall(found[2] or ""))


def _values(run: str) -> list[float | None]:
    found = _RUN.fullmatch(run)
    if found is None:
        raise ValueError(f"no values: {run}")
    start, step, count = float(found[1]), float(found[2] or 0), int(found[3])
    return [start + step * place for place in range(count + 1)]


def _matches(matcher: Any, labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(matcher.name, ""), matcher.value
    match str(matcher.op):
        case "MatchOp.Equal":
            return value == wanted
        case "MatchOp.NotEqual":
            return value != wanted
        case "MatchOp.Re":
            return re.fullmatch(wanted, value) is not None
        case _:
            return re.fullmatch(wanted, value) is None


def _aggregated(node: Any, over: Vector) -> Vector:
    by = frozenset(node.modifier.labels) if node.modifier else frozenset[str]()
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in over.items():
        groups[frozenset(each for each in labels if each[0] in by)].append(value)
    combine = {"sum": sum, "max": max, "min": min}[str(node.op)]
    return {labels: float(combine(values)) for labels, values in groups.items()}


def _quantiles(share: float, buckets: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, value in buckets.items():
        limit = float(dict(labels)["le"])
        rest = frozenset(each for each in labels if each[0] != "le")
        groups[rest].append((limit, value))
    return {labels: _quantile(share, sorted(group)) for labels, group in groups.items()}


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float:
    """Interpolate within a bucket, as Prometheus does."""
    if not (total := buckets[-1][1]):
        return math.nan
    rank, below, before = share * total, 0.0, 0.0
    for limit, count in buckets:
        if count >= rank:
            if math.isinf(limit):
                return below
            return below + (limit - below) * (rank - before) / (count - before)
        below, before = limit, count
    return below
