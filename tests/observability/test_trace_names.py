"""The names in traces are those of the docs, which follow the newest conventions."""

import ast
import re

from architecture.house import ROOT, modules
from turnwire_chassis.telemetry import names

PAGE = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
OLD = {
    "gen_ai.system",
    "gen_ai.client.token.usage",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "messaging.destination.name",
}
"""What OpenTelemetry has given up, or what would hold an id."""


def attributes() -> set[str]:
    """Give the names of attributes: those with a dot that are no span's."""
    spans = {names.QUEUE, names.GUARD_STAGE, names.SOCKET_CREATE, names.PROJECT, names.TURN}
    values = (value for name, value in vars(names).items() if name.isupper())
    return {value for value in values if "." in value} - spans


def test_the_table_lists_every_attribute_and_no_other() -> None:
    table = PAGE.partition("<!-- The names of")[2].partition("## Logs")[0]
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", table, re.MULTILINE)) == attributes()


def test_every_span_stands_on_the_page() -> None:
    assert {
        each for each in (names.QUEUE, names.GUARD_STAGE, names.PROJECT) if each not in PAGE
    } == set()


def test_no_name_is_one_that_was_given_up() -> None:
    assert attributes() & OLD == set()


def test_no_attribute_is_named_anywhere_else() -> None:
    elsewhere = [
        f"{module.place}: {node.value}"
        for module in modules()
        if module.ships and not module.place.endswith("telemetry/names.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and node.value in attributes()
    ]
    assert elsewhere == []


def test_every_name_is_used() -> None:
    code = "\n".join(module.text for module in modules() if module.ships)
    constants = [name for name in vars(names) if name.isupper()]
    unused = [name for name in constants if f"names.{name}" not in code]
    assert set(unused) <= {"NATS", "SYSTEM", "OPERATION", "DESTINATION", "TURN"}
