"""All that the command line prints; the only module that prints."""

import contextlib
import os
import shlex
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, assert_never

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from turnwire_chassis.storage_space import in_mib
from turnwire_cli.printing import in_one_line, safe
from turnwire_cli.replaying.event_view import EventView
from turnwire_dev.instance.disk import Shortage
from turnwire_dev.supervision.process import ChildSpec
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildGivenUp,
    ChildStarted,
    ChildWaitsForRoom,
    Report,
    end_in_words,
    exit_in_words,
)

ShowProgress: TypeAlias = Callable[[str, int, int], None]
"""Takes the name of a step, how much of it is done, and how much there is in all."""

REQUEST = '{{"model": "{model}", "input": "Say hello in one sentence."}}'


class Terminal(Console):
    """A console whose reader may leave, as in `turnwire up | head -1`: what runs goes on."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on; rich itself would end the program."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


@dataclass(frozen=True, slots=True)
class StartSummary:
    """What the start screen shows of a Turnwire that is ready."""

    seconds: float
    url: str
    model: str
    model_note: str
    apis: tuple[str, ...]
    """Which API each inference server speaks, and why."""
    data: Path
    logs: Path
    members: str
    """Which services have several processes; empty when none has."""
    has_console: bool = True
    """Whether the gateway serves the console."""


class Screen:
    """A terminal, or plain lines where there is none."""

    def __init__(self, console: Console | None = None) -> None:
        """`console`: where to write, standard output if not said."""
        self._console = console or Terminal(highlight=False)

    @classmethod
    def of_errors(cls) -> "Screen":
        """Write to standard error: what is printed is for programs to read, too."""
        return cls(Terminal(highlight=False, stderr=True))

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Lines of columns, each as wide as its widest word."""
        shown = [tuple(map(in_one_line, row)) for row in rows]
        widths = [max(map(len, column)) for column in zip(titles, *shown, strict=True)]
        for row in (titles, *shown):
            cells = (word.ljust(width) for word, width in zip(row, widths, strict=True))
            self.plain("  ".join(cells).rstrip())

    def starting(self, children: Iterable[ChildSpec], data: Path) -> None:
        """The first line."""
        names = ", ".join(spec.name for spec in children)
        self._line(f"Starting Turnwire in {escape(str(data))}: {names}")

    def show(self, report: Report) -> None:
        """One line for what happened to a child."""
        match report:
            case ChildStarted():
                pass
            case ChildBecameReady(name, seconds, again):
                self._line(
                    f"  [green]✓[/] {name} is {'back' if again else 'ready'} ({seconds:.1f} s)"
                )
            case ChildEnded(name, exit_code, pause, log):
                self._line(
                    f"  [yellow]![/] {name} {end_in_words(exit_code)}; it restarts in "
                    f"{pause:.1f} s; "
                    f"log: {escape(str(log))}"
                )
            case ChildWaitsForRoom(name):
                self._line(f"  [yellow]![/] {name} starts when there is room on the disk")
            case ChildGivenUp():
                self._given_up(report)
            case _:
                assert_never(report)

    def still_waiting(self, children: Iterable[ChildSpec], seconds: float) -> None:
        """The processes that are not ready yet, and their logs."""
        for spec in children:
            log = escape(str(spec.log))
            self._line(f"  … {spec.name} is not ready after {seconds:.0f} s; log: {log}")

    def welcome(self, welcome: StartSummary) -> None:
        """The summary of a start, with a first request to try."""
        request = shlex.quote(REQUEST.format(model=welcome.model))
        curl = f"curl {welcome.url}/v1/responses -H 'Content-Type: application/json' -d {request}"
        self._line("")
        self._line(f"[bold]Turnwire is ready[/] after {welcome.seconds:.1f} s.")
        self._line("")
        self._line(f"  API    [bold]{escape(welcome.url)}/v1[/]")
        if welcome.has_console:
            self._line(f"  look   [bold]{escape(welcome.url)}/console[/]")
        self._line(f"  model  {escape(welcome.model)} ({escape(welcome.model_note)})")
        for api in welcome.apis:
            self._line(f"         {escape(api)}")
        if welcome.members:
            self._line(f"  scale  {escape(welcome.members)}")
        self._line(f"  data   {escape(str(welcome.data))}")
        self._line(f"  logs   {escape(str(welcome.logs))}")
        self._line("")
        self._line("Try it:")
        self._line(f"  {escape(curl)}")
        self._line("")
        self._line(f"Stop it with ^C (or: kill {os.getpid()}). Nothing is lost.")

    def storage_full(self, shortage: Shortage) -> None:
        """The disk of the data folder is down to the reserve."""
        self.warning(
            f"The disk of {shortage.folder} is full: {in_mib(shortage.free)} are free, and "
            f"{in_mib(shortage.reserve)} stay in reserve for turns that run. New turns are refused "
            "(503 storage_full), what is there can be read. Make room, and it goes on by itself."
        )

    def storage_has_room(self, folder: Path, free: int) -> None:
        """There is more than the reserve again."""
        place = escape(str(folder))
        self._line(
            f"  [green]✓[/] {place} has room again ({in_mib(free)} free): new turns are taken"
        )

    def restarting(self, name: str, why: str) -> None:
        """A child that cannot mend itself is started again."""
        self.warning(f"{name} cannot write any more and is restarted: {why}")

    def stopping(self) -> None:
        """A stop was asked for."""
        self._line("Stopping …")

    def stopped(self, seconds: float) -> None:
        """Nothing runs any more."""
        self._line(f"Stopped in {seconds:.1f} s.")

    def warning(self, text: str) -> None:
        """Something to know that does not keep it from running."""
        self._line(f"  [yellow]![/] {escape(text)}")

    def problem(self, text: str) -> None:
        """Why it does not run, with the way out."""
        self._line(f"[red]✗[/] {escape(text)}")

    def fine(self, check: str, text: str) -> None:
        """A check of `doctor` that passed."""
        self._line(f"[green]ok[/]       {check}: {escape(text)}")

    def trouble(self, check: str, text: str, way_out: str) -> None:
        """A check of `doctor` that did not."""
        end = "" if text.endswith((".", "?")) else "."
        self._line(f"[red]problem[/]  {check}: {escape(text)}{end} {escape(way_out)}")

    def result(self, facts: Mapping[str, Any], *lines: str) -> None:
        """What a command has done or found: the lines for people, the facts for programs."""
        del facts
        for line in lines:
            self.plain(line)

    @contextmanager
    def progress(self) -> Generator[ShowProgress]:
        """A bar for each step while the block runs; nothing where there is no terminal."""
        if not self._console.is_terminal:
            yield _unseen
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=self._console) as bars:
            tasks: dict[str, TaskID] = {}

            def show(step: str, done: int, total: int) -> None:
                if step not in tasks:
                    tasks[step] = bars.add_task(escape(step))
                bars.update(tasks[step], completed=done, total=total)

            yield show

    def remark(self, text: str) -> None:
        """A line for people only."""
        self.plain(text)

    def plain(self, text: str) -> None:
        """A line as it is."""
        self._line(escape(text))

    def event_view(self, event_view: EventView) -> None:
        """One event of a replay."""
        self._line(f"[bold]{escape(event_view.heading)}[/]")
        for fact in event_view.facts:
            self._line(f"    {escape(fact)}")
        self._line(f"  → {escape(event_view.state)}")
        self._line(f"  → next: {escape(event_view.next_step)}")

    def _given_up(self, report: ChildGivenUp) -> None:
        how = exit_in_words(report.exit_code)
        self.problem(
            f"{report.name} died {report.deaths} times on its way up, the last time with {how}."
        )
        self._line(f"  The end of {escape(str(report.log))}:")
        for line in report.tail:
            self._line(f"    {escape(line)}")

    def _line(self, text: str) -> None:
        # A terminal that is gone (SIGHUP) must not keep the children from being stopped.
        with contextlib.suppress(OSError):
            # Never wrapped: paths and the curl line are there to be copied.
            self._console.print(safe(text), soft_wrap=True)


def _unseen(step: str, done: int, total: int) -> None:
    del step, done, total
