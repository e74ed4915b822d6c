"""`python -m bench`: start the stack, load it, print the figures beside their targets."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.figures import chapters, planning_figures, process_lines
from bench.measured import keep
from bench.observing.comparing import Rounds, chapter, compare
from bench.pacing import rows as pacing
from bench.processes import ProcessGoneError
from bench.report import machine, process_table, record, summary, table
from bench.scenarios import FULL, QUICK, Results, measure
from bench.stack import Backend, Stack, StackFailedError, no_stack, running_backend, running_stack

_SHOWN_FAILURES = 5
_OBSERVED_ROUNDS = 3


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller loads, once: under 45 s")
    parser.add_argument("--repeat", type=int, help="alternations, whose median counts")
    parser.add_argument("--record", action="store_true", help="append to bench/RESULTS.md")
    parser.add_argument(
        "--without-stack",
        action="store_true",
        help="measure the backend as if it were the stack: the error of the bench itself",
    )
    return parser.parse_args(arguments)


async def run(
    options: argparse.Namespace,
) -> tuple[Results, Rounds | None, list[pacing.Row]]:
    """Start everything in a fresh folder, measure, and stop it; then the stacks of further parts.

    Those are streams at a model's pace, and what metrics and traces cost.
    """
    plan = QUICK if options.quick else FULL
    if options.repeat:
        plan = replace(plan, repeat=options.repeat)
    with tempfile.TemporaryDirectory(prefix="turnwire-bench-") as folder:
        async with (
            running_backend() as backend,
            _stack(options, backend, Path(folder)) as stack,
        ):
            results = await measure(backend, stack, plan)
        if options.without_stack:
            return results, None, []
        if options.quick:
            return results, None, await pacing.measure(pacing.STREAMS[:1], pacing.PACES_MS[:1])
        paced = await pacing.measure(pacing.STREAMS, pacing.PACES_MS)
        async with running_backend() as backend:
            return results, await compare(backend, _OBSERVED_ROUNDS), paced


def _stack(
    options: argparse.Namespace, backend: Backend, folder: Path
) -> AbstractAsyncContextManager[Stack]:
    return no_stack(backend) if options.without_stack else running_stack(backend, folder)


def main() -> int:
    """Run the bench; 1 when a request failed or the stack did not run."""
    options = parse(sys.argv[1:])
    began = time.monotonic()
    try:
        results, rounds, paced = uvloop.run(run(options))
    except (StackFailedError, ProcessGoneError) as error:
        _say(f"The stack cannot be measured: {error}")
        return 1
    report = [*chapters(results), *([chapter(rounds)] if rounds else [])]
    seconds = time.monotonic() - began
    failures = [*results.failures, *(rounds.failures if rounds else [])]
    failures += [why for row in paced for why in row.trial.through.failures]
    answered = f"{results.requests} answered, {len(failures)} failed requests in {seconds:.0f} s."
    by_process = process_table(process_lines(results))
    parts = (table(report), by_process, pacing.report(paced), f"{summary(report)}\n{answered}")
    text = "\n\n".join(part for part in parts if part)
    _say(f"Turnwire bench: {machine()}\n\n{text}")
    for failure in failures[:_SHOWN_FAILURES]:
        _say(f"FAILED {failure}")
    if options.record:
        record(text)
        keep("turns", planning_figures(results))
        if paced:
            keep("pacing", {"rows": [pacing.figures(row) for row in paced]})
    return 1 if failures else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
