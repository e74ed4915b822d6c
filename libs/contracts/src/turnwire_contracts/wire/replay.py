"""Finished items told to an `Assembler` as they were told when they were made."""

from collections.abc import Iterator, Sequence
from itertools import islice

from turnwire_contracts.events import Item, Run
from turnwire_contracts.json_values import JSON, objects
from turnwire_contracts.wire import delta_boundaries
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.items import ARGUMENT_FIELDS, TEXT_FIELDS, parts_of, said_at_the_end


def write_again(
    assembler: Assembler,
    items: list[Item],
    item_cuts: Sequence[list[str]],
    rounds: Sequence[int] = (),
    runs: Sequence[Run] = (),
) -> None:
    """Tell `assembler` items as they were told when they were made.

    `rounds`: after how many of them the ends of the calls before were told. `runs`: the order in
    which those were told that were not told one after another.
    """
    begun = finished = 0
    open_items: dict[int, Iterator[None]] = {}
    for number, steps in _all_runs(len(items), runs):
        steps_left = open_items.pop(number, None)
        if steps_left is None:
            cuts = item_cuts[number] if number < len(item_cuts) else []
            steps_left = _steps_of(assembler, items[number], cuts)
        else:
            assembler.enter(number)
        if sum(1 for _ in islice(steps_left, steps)) == steps and assembler.in_item is not None:
            open_items[assembler.leave()] = steps_left
            continue
        finished += 1
        if finished in rounds:
            assembler.end_calls(items[begun:finished], begun)
            begun = finished


def write_item(assembler: Assembler, item: Item, cuts: list[str]) -> None:
    """Tell `assembler` one finished item; `cuts` are the cuts of its texts, if it has any."""
    for _ in _steps_of(assembler, item, cuts):
        pass


def _all_runs(count: int, runs: Sequence[Run]) -> Iterator[tuple[int, int | None]]:
    """Give the runs of `count` items; an item that `runs` does not name is told in one go."""
    named = {number for number, _ in runs}
    rest, end = 0, 0
    for number in range(count):
        if number not in named:
            yield number, None
            continue
        while end <= number or end in named:
            end += 1
        while rest < len(runs) and runs[rest][0] < end:
            yield runs[rest]
            rest += 1


def _steps_of(assembler: Assembler, item: Item, cuts: list[str]) -> Iterator[None]:
    """Tell an item, and stop after each step."""
    assembler.add_item(item)
    yield
    if item["type"] in ARGUMENT_FIELDS:
        text = item.get(ARGUMENT_FIELDS[item["type"]])
        yield from _text_steps(assembler, text, cuts, 0)
    for index, part in enumerate(parts_of(item)):
        assembler.add_part(part["type"])
        yield
        logprobs = objects(part.get("logprobs"))
        text = part.get(TEXT_FIELDS[part["type"]])
        yield from _text_steps(assembler, text, cuts, index, logprobs)
        assembler.end_part(part.get("annotations"), logprobs)
        yield
    assembler.end_item(said_at_the_end(item), item.get("status") or "completed")
    yield


def _text_steps(
    assembler: Assembler,
    text: object,
    cuts: list[str],
    index: int,
    logprobs: Sequence[JSON] = (),
) -> Iterator[None]:
    # A backend may leave a text out that its item needs.
    whole, rest = text if isinstance(text, str) else "", iter(logprobs)
    for delta, count in delta_boundaries.split(whole, cuts[index] if index < len(cuts) else ""):
        assembler.delta(delta, list(islice(rest, count)))
        yield
