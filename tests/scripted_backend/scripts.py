"""Which answer a request gets: queued ones in order, standing ones, then by model name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scripted_backend.answers import Answer
from scripted_backend.grammar import Exchange
from scripted_backend.performance import Performance, Settings, perform, perform_default
from scripted_backend.verbs import calls, fails

Matcher = Callable[[Mapping[str, Any]], bool]
Rule = Callable[[Mapping[str, Any]], Answer | None]
"""Gives the answer to a request by what stands in it; `None`: another answer is due."""

_SLOW_MODEL_DELAY = 2.0
"""Seconds that a model with `slow` in its name thinks before its first token."""


def any_request(body: Mapping[str, Any]) -> bool:  # noqa: ARG001 - a matcher looks at it
    """Match every request."""
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """A scripted answer and the requests it is for."""

    answer: Answer
    when: Matcher


class Script:
    """The answers that are still to be given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._queue: list[Entry] = []
        self._standing: list[Entry] = []
        self._rules: list[Rule] = []

    def __len__(self) -> int:
        """Count the queued answers that no request has asked for yet."""
        return len(self._queue)

    def add(self, answer: Answer, when: Matcher) -> None:
        """Queue an answer for the next request that matches."""
        self._queue.append(Entry(answer, when))

    def add_standing(self, answer: Answer, when: Matcher) -> None:
        """Give this answer to every matching request for which none is queued."""
        self._standing.append(Entry(answer, when))

    def add_rule(self, rule: Rule) -> None:
        """Answer every request by this rule for which none is queued or standing."""
        self._rules.append(rule)

    def clear(self) -> None:
        """Drop all scripted answers."""
        self._queue.clear()
        self._standing.clear()
        self._rules.clear()

    def next(self, exchange: Exchange) -> Performance:
        """Choose and take the answer to a request."""
        for index, entry in enumerate(self._queue):
            if entry.when(exchange.body):
                del self._queue[index]
                return perform(entry.answer, exchange, self.settings.dialect)
        for entry in self._standing:
            if entry.when(exchange.body):
                return perform(entry.answer, exchange, self.settings.dialect)
        for rule in self._rules:
            if (answer := rule(exchange.body)) is not None:
                return perform(answer, exchange, self.settings.dialect)
        return self._by_model(exchange)

    def _by_model(self, exchange: Exchange) -> Performance:
        model = str(exchange.body.get("model") or "")
        delivery = self.settings.delivery()
        if "fail" in model:
            return perform(fails(500, "mock failure"), exchange, self.settings.dialect)
        if "tool" in model and (name := _tool_to_call(exchange.body)):
            return perform(calls(name), exchange, self.settings.dialect)
        if "slow" in model:
            delivery = replace(delivery, first_delay=delivery.first_delay + _SLOW_MODEL_DELAY)
        return perform_default(self.settings, exchange, delivery)


def _tool_to_call(body: Mapping[str, Any]) -> str | None:
    """Name the first function tool, unless the input already ends with a tool's result."""
    given: Any = body.get("input") or body.get("messages")
    if given and not isinstance(given, str) and _is_result(given[-1]):
        return None
    tools: list[Mapping[str, Any]] = body.get("tools") or []
    functions = [tool.get("function", tool) for tool in tools if tool.get("type") == "function"]
    return next((function["name"] for function in functions), None)


def _is_result(told: Mapping[str, Any]) -> bool:
    return told.get("type") == "function_call_output" or told.get("role") == "tool"
