"""`python -m bench.observing`: what metrics and 1 % of traces cost, and nothing else: ten minutes."""

import sys

import uvloop

from bench.observing.comparing import chapter, compare
from bench.report import machine, record, summary, table
from bench.stack import running_backend

_PAIRS = 60


async def measure() -> str:
    """Measure, and lay out the report."""
    async with running_backend() as backend:
        measured = await compare(backend, _PAIRS)
    chapters = [chapter(measured)]
    return f"{table(chapters)}\n\n{summary(chapters)}\n{len(measured.failures)} failed requests."


if __name__ == "__main__":
    text = uvloop.run(measure())
    sys.stdout.write(f"{machine()}\n{text}\n")
    if "--record" in sys.argv[1:]:
        record(text)
