"""The report: one table for people, and its place in RESULTS.md."""

import platform
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Chapter, Figure, ProcessLine, Target

_RESULTS = Path(__file__).with_name("RESULTS.md")
_WIDTHS = (46, 11, 11, 9, 16)
_HEAD = ("", "through", "straight", "ratio", "target")
_PROCESS_HEAD = (
    "ms a turn",
    "µs a frame",
    "idle %",
    "idle MiB",
    "idle PSS",
    "MiB after",
    "PSS after",
)
_PRECISE_BELOW = 100


def table(chapters: Sequence[Chapter]) -> str:
    """Lay out all chapters as one text table."""
    lines = [_line(_HEAD)]
    for chapter in chapters:
        lines += ["", chapter.title]
        lines += [_figure(figure) for figure in chapter.figures]
    return "\n".join(lines)


def process_table(lines: Sequence[ProcessLine]) -> str:
    """Lay out what each process costs: turns at 16 clients, frames at 32."""
    rows = [("By process", _PROCESS_HEAD)]
    rows += [(f"  {line.name}", tuple(map(_number, _costs(line)))) for line in lines]
    return "\n".join(
        name.ljust(16) + "".join(cell.rjust(12) for cell in cells) for name, cells in rows
    )


def summary(chapters: Sequence[Chapter]) -> str:
    """Say which targets are missed."""
    judged = [figure for chapter in chapters for figure in chapter.figures if figure.target]
    missed = [figure for figure in judged if figure.missed]
    if not missed:
        return f"All {len(judged)} targets are met."
    names = "; ".join(f"{figure.name} ({_number(figure.value)} {figure.unit})" for figure in missed)
    return f"{len(missed)} of {len(judged)} targets are missed: {names}"


def machine() -> str:
    """Name the machine without saying whose it is."""
    cores, model = 0, platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "processor":
            cores += 1
        elif name.strip() == "model name":
            model = value.strip()
    return f"{model}, {cores} cores, Python {platform.python_version()}"


def record(text: str) -> None:
    """Append a report to RESULTS.md, under the date and the machine."""
    title = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {machine()}"
    before = _RESULTS.read_text(encoding="utf-8") if _RESULTS.exists() else "# Results\n"
    _RESULTS.write_text(f"{before}\n## {title}\n\n```text\n{text}\n```\n", encoding="utf-8")


def _costs(line: ProcessLine) -> tuple[float, ...]:
    memory = (line.idle.rss, line.idle.pss, line.loaded.rss, line.loaded.pss)
    return (line.turn, line.frame, line.at_rest, *memory)


def _figure(figure: Figure) -> str:
    direct, ratio = "", ""
    if figure.direct is not None:
        direct = _number(figure.direct)
        ratio = _number(figure.value / figure.direct) if figure.direct else ""
    value = f"{_number(figure.value)} {figure.unit}"
    verdict = "" if figure.target is None else _target(figure, figure.target)
    return _line((f"  {figure.name}", value, direct, ratio, verdict))


def _target(figure: Figure, target: Target) -> str:
    aim = "" if target.aim is None else f" (aim {_number(target.aim)})"
    return f"<= {_number(target.limit)}{aim} {'MISSED' if figure.missed else 'ok'}"


def _line(cells: Sequence[str]) -> str:
    return "".join(_padded(cells)).rstrip()


def _padded(cells: Sequence[str]) -> Iterator[str]:
    first, *numbers, last = cells
    yield first.ljust(_WIDTHS[0])
    for cell, width in zip(numbers, _WIDTHS[1:-1], strict=True):
        yield cell.rjust(width)
    yield f"   {last}"


def _number(value: float) -> str:
    if abs(value) >= _PRECISE_BELOW:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value else "0"
