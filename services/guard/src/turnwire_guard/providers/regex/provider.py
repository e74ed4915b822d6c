"""What a policy says of patterns, as one provider: what may be found, in the policy's order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from turnwire_chassis.yaml_place import YamlPlace
from turnwire_contracts.queries import AskForCheck
from turnwire_guard.pipeline import Finding, Provider
from turnwire_guard.providers.regex.expressions import (
    BadExpressionError,
    Expression,
    Expressions,
    compiled,
    joined,
    matches,
    occurs,
    whole_words,
)
from turnwire_guard.providers.regex.sets import SETS
from turnwire_guard.providers.regex.urls import URL, is_below

_LARGE = 32 * 1024
"""From so many bytes on, a search leaves the event loop to others: a hard case takes a while."""

_KEYS = ("patterns", "sets", "words", "hosts")


@dataclass(frozen=True, slots=True)
class _Plain:
    """Is found where an expression matches."""

    finding: Finding
    expressions: Expressions

    def is_in(self, content: bytes) -> bool:
        return occurs(self.expressions, content)


@dataclass(frozen=True, slots=True)
class _Confirmed:
    """Is found where the expression matches and what it matched is what it looks like."""

    finding: Finding
    expression: Expression
    confirm: Callable[[str], bool]

    def is_in(self, content: bytes) -> bool:
        return any(self.confirm(each) for each in matches(self.expression, content))


_Rule = _Plain | _Confirmed


@dataclass(frozen=True, slots=True)
class RegexProvider(Provider):
    """Finds each category of which something occurs anywhere in the content."""

    anything: Expressions
    """Matches wherever any rule may; most content is done with after this."""
    rules: tuple[_Rule, ...]

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        """Give the categories that match, in the order of the policy; cannot fail."""
        # Encoded once: given a str, RE2 encodes it for every expression.
        content = question.input.encode()
        if len(content) < _LARGE:
            return self._findings(content)
        return await asyncio.to_thread(self._findings, content)

    def _findings(self, content: bytes) -> tuple[Finding, ...]:
        if not occurs(self.anything, content):
            return ()
        return tuple(rule.finding for rule in self.rules if rule.is_in(content))


class _Rules:
    """Rules as they are read, and all their expressions."""

    def __init__(self) -> None:
        self.expressions: list[str] = []
        self.rules: list[_Rule] = []

    def plain(self, finding: Finding, expressions: list[str]) -> None:
        self.expressions += expressions
        self.rules.append(_Plain(finding, joined(expressions)))

    def confirmed(self, finding: Finding, expression: str, confirm: Callable[[str], bool]) -> None:
        self.expressions.append(expression)
        self.rules.append(_Confirmed(finding, compiled(expression), confirm))


def build(settings: YamlPlace) -> Provider:
    """Make the provider of one stage. Raises PlaceError for an expression that is none."""
    fields = settings.fields(known=_KEYS, required=())
    if not fields:
        raise settings.error(f"must have one of the keys {', '.join(_KEYS)}")
    rules = _Rules()
    for key, place in fields.items():
        _READ[key](place, rules)
    return RegexProvider(joined(rules.expressions), tuple(rules.rules))


def _read_patterns(place: YamlPlace, rules: _Rules) -> None:
    for category, listed in place.entries().items():
        rules.plain(Finding(category), [_checked(each) for each in listed.items()])


def _read_sets(place: YamlPlace, rules: _Rules) -> None:
    for name in place.items():
        for form in SETS[name.one_of(SETS)]:
            finding = Finding(form.category, form.reason)
            if form.confirm is None:
                rules.plain(finding, [form.expression])
            else:
                rules.confirmed(finding, form.expression, form.confirm)


def _read_words(place: YamlPlace, rules: _Rules) -> None:
    for category, listed in place.entries().items():
        words = [each.text() for each in listed.items()]
        rules.plain(Finding(category, "a blocked word"), whole_words(words))


def _read_hosts(place: YamlPlace, rules: _Rules) -> None:
    for category, listed in place.entries().items():
        hosts = frozenset(each.text().lower().strip(".") for each in listed.items())
        rules.confirmed(Finding(category, "an address of a blocked host"), URL, is_below(hosts))


_READ: dict[str, Callable[[YamlPlace, _Rules], None]] = {
    "patterns": _read_patterns,
    "sets": _read_sets,
    "words": _read_words,
    "hosts": _read_hosts,
}


def _checked(place: YamlPlace) -> str:
    expression = place.text()
    try:
        compiled(expression)
    except BadExpressionError as error:
        raise place.error(f"is not an expression of RE2: {error}") from error
    return expression
