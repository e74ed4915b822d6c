"""`-o json`, `-o yaml`: everything that a command says as objects, for programs to read."""

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, assert_never

import msgspec
import typer

from turnwire_cli.exit_codes import FAILED
from turnwire_cli.printing import escaped, in_yaml
from turnwire_cli.replaying.event_view import EventView
from turnwire_dev.instance.disk import Shortage
from turnwire_dev.screen import Screen, ShowProgress, StartSummary
from turnwire_dev.supervision.process import ChildSpec
from turnwire_dev.supervision.reports import (
    ChildBecameReady,
    ChildEnded,
    ChildGivenUp,
    ChildStarted,
    ChildWaitsForRoom,
    Report,
)

_TELL_EVERY_S: Final = 1.0


@contextmanager
def failing(screen: Screen, *faults: type[Exception]) -> Generator[None]:
    """Say what went wrong inside and end with exit code 1, for errors that name the way out."""
    try:
        yield
    except faults as error:
        screen.problem(str(error) or type(error).__name__)
        raise typer.Exit(FAILED) from error


class JsonScreen(Screen):
    """Lines of JSON on standard output; remarks for people are left out."""

    def result(self, facts: Mapping[str, Any], *lines: str) -> None:
        """See `Screen.result`: the facts alone."""
        del lines
        self.plain(escaped(msgspec.json.encode(facts, enc_hook=str).decode()))

    def remark(self, text: str) -> None:
        """See `Screen.remark`: nothing."""

    @contextmanager
    def progress(self) -> Generator[ShowProgress]:
        """See `Screen.progress`: an object a second, and one at the end of each step."""
        shown_at = 0.0

        def show(step: str, done: int, total: int) -> None:
            nonlocal shown_at
            if done == total or time.monotonic() - shown_at >= _TELL_EVERY_S:
                shown_at = time.monotonic()
                self._event("progress", step=step, done=done, total=total)

        yield show

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """See `Screen.table`: one object for each row, the titles as its keys."""
        keys = [title.replace(" ", "_") for title in titles]
        for row in rows:
            self.result(dict(zip(keys, row, strict=True)))

    def starting(self, children: Iterable[ChildSpec], data: Path) -> None:
        """See `Screen.starting`."""
        self._event("starting", data=data, children=[spec.name for spec in children])

    def show(self, report: Report) -> None:
        """See `Screen.show`."""
        match report:
            case ChildStarted():
                pass
            case ChildBecameReady(name, seconds, again):
                self._event("ready", child=name, seconds=seconds, again=again)
            case ChildEnded(name, exit_code, pause, log):
                self._event("died", child=name, exit_code=exit_code, restarts_in=pause, log=log)
            case ChildWaitsForRoom(name):
                self._event("waits_for_room", child=name)
            case ChildGivenUp():
                self._event(
                    "given_up", child=report.name, exit_code=report.exit_code, log=report.log
                )
            case _:
                assert_never(report)

    def still_waiting(self, children: Iterable[ChildSpec], seconds: float) -> None:
        """See `Screen.still_waiting`."""
        self._event("waiting", children=[spec.name for spec in children], seconds=seconds)

    def welcome(self, welcome: StartSummary) -> None:
        """See `Screen.welcome`."""
        self._event(
            "up",
            url=f"{welcome.url}/v1",
            model=welcome.model,
            seconds=welcome.seconds,
            data=welcome.data,
            logs=welcome.logs,
        )

    def storage_full(self, shortage: Shortage) -> None:
        """See `Screen.storage_full`."""
        self._event(
            "storage_full",
            folder=shortage.folder,
            free_bytes=shortage.free,
            reserve_bytes=shortage.reserve,
        )

    def storage_has_room(self, folder: Path, free: int) -> None:
        """See `Screen.storage_has_room`."""
        self._event("storage_has_room", folder=folder, free_bytes=free)

    def restarting(self, name: str, why: str) -> None:
        """See `Screen.restarting`."""
        self._event("restarting", child=name, why=why)

    def stopping(self) -> None:
        """See `Screen.stopping`."""
        self._event("stopping")

    def stopped(self, seconds: float) -> None:
        """See `Screen.stopped`."""
        self._event("stopped", seconds=seconds)

    def warning(self, text: str) -> None:
        """See `Screen.warning`."""
        self._event("warning", text=text)

    def problem(self, text: str) -> None:
        """See `Screen.problem`."""
        self._event("problem", text=text)

    def fine(self, check: str, text: str) -> None:
        """See `Screen.fine`."""
        self.result({"check": check, "ok": True, "text": text})

    def trouble(self, check: str, text: str, way_out: str) -> None:
        """See `Screen.trouble`."""
        self.result({"check": check, "ok": False, "text": text, "way_out": way_out})

    def event_view(self, event_view: EventView) -> None:
        """See `Screen.event_view`: with the whole event, where people see the beginning of it."""
        about = {
            "sequence": event_view.sequence,
            "kind": event_view.kind,
            "event": event_view.event,
        }
        self.result({**about, "state": event_view.state, "next": event_view.next_step})

    def _event(self, event: str, **facts: Any) -> None:
        self.result({"event": event, **facts})


class YamlScreen(JsonScreen):
    """The same objects as documents of YAML."""

    def result(self, facts: Mapping[str, Any], *lines: str) -> None:
        """See `Screen.result`: the facts alone."""
        del lines
        written = msgspec.json.decode(msgspec.json.encode(facts, enc_hook=str))
        self.plain("---\n" + in_yaml(written).rstrip())
