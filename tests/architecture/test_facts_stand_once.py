"""What is known of a kind of event or of a field stands in its table, and nowhere else."""

import ast
from collections.abc import Iterable

from architecture.house import modules
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS
from turnwire_contracts.request_fields import REQUEST_FIELDS

_MORE_THAN_FIELDS = {
    "prompt_cache_key",
    "service_tier",
    "user",
}
"""Compaction takes the first as well, backends decide about the second, the third is a role."""


def test_the_name_of_a_kind_of_event_stands_in_the_table_alone() -> None:
    kinds = {kind for kind in (*TURN_EVENT_KINDS, *CONVERSATION_EVENT_KINDS) if "_" in kind}
    assert _places_of(kinds) == {"libs/contracts/src/turnwire_contracts/event_kinds.py"}


def test_a_field_that_is_checked_echoed_and_passed_on_stands_in_the_table_alone() -> None:
    simple = {
        field.name
        for field in REQUEST_FIELDS
        if field.type is not None and field.is_echoed and field.to_responses and field.to_chat
    }
    places = _places_of(simple - _MORE_THAN_FIELDS)
    # The guard asks models of its own.
    places -= {place for place in places if place.startswith("services/guard/")}
    assert places == {"libs/contracts/src/turnwire_contracts/request_fields.py"}


def _places_of(texts: Iterable[str]) -> set[str]:
    """Give the modules that ship and have one of these texts."""
    wanted = set(texts)
    return {
        module.place
        for module in modules()
        if module.ships
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in wanted
    }
