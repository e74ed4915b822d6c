"""Laws of samples whose events come side by side: they are read as if told one after another."""

from turnwire_contracts.json_values import JSON
from turnwire_testing.read_samples import Live

END: JSON = {"type": "response.completed", "response": {"status": "completed"}}

InOrderAndMixed = tuple[list[JSON], list[JSON]]
"""The same events, one thing after another, and in any other order."""


def check_order_gives_the_same_items(told: InOrderAndMixed) -> None:
    """Whatever the order, clients are told the same items, and the log can replay them."""
    in_order, mixed = told
    expected, live = Live([*in_order, END]), Live([*mixed, END])
    assert live.said == expected.said
    assert expected.assembler.runs == []
    expected.check()
    live.check()


def check_judged_first_is_told_in_the_same_way(told: InOrderAndMixed) -> None:
    """What is held back until it is judged gives the same items and frames."""
    _, mixed = told
    held, free = Live([*mixed, END], held=True), Live([*mixed, END])
    assert held.items == free.items
    assert held.frames == free.frames


def check_broken(told: InOrderAndMixed, cut: int) -> Live:
    """Read the first `cut` events of an answer that broke off; what was told must be sound."""
    live = Live(told[1][:cut])
    live.check()
    assert live.outcome.status == "failed"
    return live
