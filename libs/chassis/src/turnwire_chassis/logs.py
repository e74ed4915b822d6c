"""Logs: one line of JSON for one fact, to standard error, without secrets and content.

Libraries log and crash in their own words; their lines go the same way, as far as they can be told
without what they were about.
"""

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO, cast

import structlog

from turnwire_chassis.log_stream import LogStream
from turnwire_chassis.redaction import exception_places, redacted_fields, redacted_text
from turnwire_chassis.telemetry.correlation import add_correlation
from turnwire_chassis.telemetry.metrics import LOG_LINES

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_OMITTED: Final = "…"
_COUNTED: Final = frozenset({"warning", "error", "critical"})


def start_logging(service: str, level: str) -> None:
    """Send every log line of this process, libraries' included, to standard error."""
    stream = LogStream(sys.stderr.fileno())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LibraryLines())
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_correlation,
            structlog.processors.add_log_level,
            count,
            redact,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


def count(logger: object, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Count the lines that operators should know of (a processor of structlog)."""
    del logger, method
    if line["level"] in _COUNTED:
        LOG_LINES(line["level"]).inc()
    return line


def redact(logger: object, method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Take secrets and content out of a line (a processor of structlog)."""
    del logger, method
    event, exc_info = line.pop("event", ""), line.pop("exc_info", None)
    exception = _exception(exc_info)
    shown = {} if exception is None else {"exception": exception_places(exception)}
    return {"event": redacted_text(str(event)), **redacted_fields(line), **shown}


class LibraryLines(logging.Formatter):
    """Lines of libraries: their template, without the values that were put in."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line of JSON."""
        line: dict[str, Any] = {
            "event": _said(record),
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = exception_places(record.exc_info[1])
        # The time and the service as on every other line.
        stamped = add_correlation(None, "", structlog.contextvars.merge_contextvars(None, "", line))
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", stamped)
        return str(structlog.processors.JSONRenderer()(None, "", stamped))


def _said(record: logging.LogRecord) -> str:
    """Give the first line of what a library says; the others are where it shows what it has."""
    template = str(record.msg)
    args = record.args if isinstance(record.args, tuple) else ()
    kept = tuple(each if isinstance(each, int | float) else _OMITTED for each in args)
    try:
        text = template % kept if kept else template
    except (TypeError, ValueError):
        text = template
    return redacted_text(text.partition("\n")[0])


def _exception(given: object) -> BaseException | None:
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        # As `sys.exc_info` gives it.
        return cast("tuple[object, BaseException | None, object]", given)[1]
    return sys.exc_info()[1] if given else None


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    del kind, trace
    structlog.get_logger().critical("the process ends", exc_info=error)


def _thread_crashed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        structlog.get_logger().error("a thread ended", exc_info=args.exc_value)
