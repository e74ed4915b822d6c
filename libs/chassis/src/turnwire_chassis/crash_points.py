"""Points at which a process can be made to die, for tests only; inert unless it is started armed.

`TURNWIRE_TEST_CRASH_POINT` names a file. A process that is started without it runs a function that
does nothing at each point. One that is started with it looks at each point whether the file is
there and names the point (`CrashOrder`); the process that passes it for the last time that the file
wants renames the file to `<file>.reached`, and ends itself with SIGKILL, or stands still until
there is `<file>.go`.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import msgspec

SWITCH: Final = "TURNWIRE_TEST_CRASH_POINT"

POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "append.before": "an event is about to be appended to the log; about: its class",
        "append.after": "the broker has confirmed the event; about: its class",
        "erase.before": "an event is about to be erased from the log",
        "erase.after": "the broker has confirmed that the event is erased",
        "delivery.taken": "the inbox has been handed a turn",
        "delivery.before_ack": "the turn has ended and its delivery is not confirmed",
        "delivery.after_ack": "the delivery was confirmed",
        "frames.before": "frames are about to be published; about: `F`, `E` or `A`",
        "frames.after": "frames were published; about: `F`, `E` or `A`",
        "plain.before": "a plain answer is about to be published",
        "plain.after": "a plain answer was published",
        "ask.before": "a query is about to be asked; about: its subject",
        "ask.after": "a query was answered; about: its subject",
        "query.taken": "a query has come; about: its subject",
        "query.before_answer": "a query is about to be answered; about: its subject",
        "query.after_answer": "a query was answered; about: its subject",
        "forward.before": "bytes are about to go to a client; about: whether they are the last",
        "forward.after": "bytes went to a client; about: whether they were the last",
        "answer.before": "a turn's plain answer is about to go to its client",
        "backend.before": "the backend is about to be asked",
        "backend.after": "the backend has said all",
        "tool.before": "a call is about to go to a tool server",
        "tool.after": "the tool server has answered",
        "webhook.before": "an event for a webhook is about to be kept; about: its type",
        "webhook.after": "the broker keeps the event until it is delivered; about: its type",
        "post.before": "an event is about to go to its receiver; about: its type",
        "post.after": "the receiver has answered; about: its type",
        "views.before": "a batch of events is about to become views",
        "views.after": "the views are written, and the checkpoint has not moved",
        "checkpoint.after": "the checkpoint has moved",
    }
)
"""Every point, and what has happened when a process stands there."""

_LOOK_AGAIN_S: Final = 0.005
_HELD_S: Final = 60.0
"""A process does not stand still for longer, should its test have ended."""


class CrashOrder(msgspec.Struct, frozen=True):
    """What the file says, as JSON."""

    point: str
    service: str
    """The service whose process is to pass the point, such as `tool-runner`."""
    about: str = ""
    """What the point must be about; empty: anything."""
    passing: int = 1
    """Which passing of a process counts, from the moment on at which the file is there."""
    then: Literal["die", "hold"] = "die"


def _nothing(point: str, about: object = "") -> None:
    """Pass a point of a process that is not armed."""


class _Armed:
    """Counts the passings of the point that the file names."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._order = b""
        self._passed = 0

    def __call__(self, point: str, about: object = "") -> None:
        """Pass a point; may not return."""
        try:
            written = self._file.read_bytes()
        except FileNotFoundError:
            self._order = b""
            return
        order = msgspec.json.decode(written, type=CrashOrder)
        if written != self._order:
            self._order, self._passed = written, 0
        name = about if isinstance(about, str) else type(about).__name__
        if (order.point, order.service) != (point, _service()) or order.about not in ("", name):
            return
        self._passed += 1
        if self._passed == order.passing:
            self._reach(order)

    def _reach(self, order: CrashOrder) -> None:
        try:
            self._file.rename(self._file.with_name(f"{self._file.name}.reached"))
        except FileNotFoundError:
            return  # Another process was here first.
        if order.then == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        go_on = self._file.with_name(f"{self._file.name}.go")
        until = time.monotonic() + _HELD_S
        # The whole process stands still, as one does that gets no processor.
        while not go_on.exists() and time.monotonic() < until:
            time.sleep(_LOOK_AGAIN_S)


def _service() -> str:
    """Name the service that this process is of, by the module that it was started with."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    package = spec.parent if spec is not None else ""
    return package.removeprefix("turnwire_").replace("_", "-")


def bound(environment: Mapping[str, str]) -> Callable[[str, object], None]:
    """Give what a process with this environment runs at each point."""
    file = environment.get(SWITCH)
    return _Armed(Path(file)) if file else _nothing


reached: Final[Callable[..., None]] = bound(os.environ)
"""`reached(point, about="")`: the process stands at a point of `POINTS`."""
