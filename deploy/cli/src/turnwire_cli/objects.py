"""Objects of the API as people read them: lines, tables and what a model says."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

from turnwire_cli.errors import CommandFailedError
from turnwire_cli.exit_codes import BAD_INPUT
from turnwire_cli.moments import moment_ago, moment_ahead
from turnwire_cli.printing import JSON, Column, Printer
from turnwire_cli.times import lasted

_LONGEST = 200
_DESCENT = frozenset({"forked_from", "rerun_of"})
"""Fields that only say which response another one was made of."""


def facts(found: Any, path: str = "") -> Iterator[str]:
    """Give an object as lines `path: value`; empty values are left out."""
    match found:
        case dict():
            for name, value in cast("JSON", found).items():
                yield from facts(value, f"{path}.{name}" if path else name)
        case list():
            for number, value in enumerate(cast("list[Any]", found)):
                yield from facts(value, f"{path}[{number}]")
        case None | "":
            pass
        case _:
            yield f"{path}: {found}"


def print_facts(printer: Printer, found: Any) -> None:
    """Print an object: for people, a fact a line."""
    printer.one(found, lambda: facts(found))


def plain(*names: str) -> list[Column]:
    """Give columns that show members as they are, their names as titles."""
    return [(name.replace("_", " "), member(name)) for name in names]


def member(name: str) -> Callable[[JSON], object]:
    """Give what shows a member of an object; a list as its words."""

    def show(found: JSON) -> object:
        value = found.get(name)
        if isinstance(value, bool):
            return "yes" if value else ""
        if isinstance(value, list):
            return ", ".join(map(str, cast("list[Any]", value)))
        return value

    return show


def moments(printer: Printer, name: str, title: str) -> Column:
    """Give a column of moments, which are Unix seconds in the member `name`."""
    return title, lambda found: printer.moment(found.get(name))


def response_columns(printer: Printer) -> Sequence[Column]:
    """Give the columns of a list of responses."""
    return (
        ("id", member("id")),
        moments(printer, "created_at", "created"),
        ("status", member("status")),
        ("model", member("model")),
        ("took", _took),
        ("tools", member("tools")),
        ("code", lambda found: found.get("error_code") or found.get("incomplete_reason")),
    )


def item_line(item: JSON) -> str:
    """Give an item of a conversation in a line or some: who says what, or what it is."""
    kind = item.get("type", "message")
    if kind == "message":
        content: str | list[JSON] = item.get("content") or ""
        parts = [] if isinstance(content, str) else [part.get("text", "") for part in content]
        return f"{item.get('role', '?')}: {content if isinstance(content, str) else ''.join(parts)}"
    if kind in {"function_call", "mcp_call"}:
        ended = item.get("output") or item.get("error")
        result = "" if ended is None else f" → {_short(str(ended))}"
        return f"{kind}: {item.get('name')}({_short(item.get('arguments') or '')}){result}"
    if kind == "function_call_output":
        return f"{kind}: {_short(str(item.get('output')))}"
    return f"{kind}: {_short(json.dumps(item, ensure_ascii=False))}"


def response_lines(printer: Printer, response: JSON) -> Iterator[str]:
    """Give a response as people read it: how it stands, and what it says."""
    status = printer.moment(response.get("created_at"))
    yield f"{response['id']}  {response.get('status')}  {response.get('model')}  {status}"
    error: JSON = response.get("error") or {}
    cut: JSON = response.get("incomplete_details") or {}
    items: list[JSON] = response.get("output") or []
    if error:
        yield f"  failed: {error.get('code')}: {error.get('message')}"
    if cut:
        yield f"  incomplete: {cut.get('reason')}"
    yield from map(item_line, items)


def changed_fields(given: Iterable[str] | None) -> JSON:
    """Read `FIELD=JSON`, as `--set` has it; what is no JSON is a text."""
    fields: JSON = {}
    for each in given or ():
        name, said, value = each.partition("=")
        if not said or not name:
            raise CommandFailedError(f"--set: {each} is not FIELD=JSON", BAD_INPUT)
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    return fields


def difference_lines(diff: JSON) -> Iterator[str]:
    """Give what differs between two responses, in lines; nothing of their times and tokens."""
    for each in diff["request"]:
        if each["field"] not in _DESCENT:
            yield f"{each['field']}: {each['before']} → {each['after']}"
    for part in ("input", "output"):
        for each in diff[part]:
            if each["change"] != "same":
                yield f"{part} {each['change']}: {_pair(each)}"
    for part in ("instructions", "text"):
        if not diff[part]["equal"]:
            yield from (diff[part]["unified"] or f"{part}: too long to compare").splitlines()
    if not diff["end"]["equal"]:
        yield f"end: {diff['end']['before']['status']} → {diff['end']['after']['status']}"


def seconds_of(text: str, now: float) -> float:
    """Read a moment as Unix seconds: `30m`, `12h` or `7d` ago, such seconds, or an ISO time."""
    return _seconds(text, now, moment_ago)


def seconds_ahead(text: str, now: float) -> float:
    """Read a moment to come as `seconds_of` reads one that was: `30d` from now on."""
    return _seconds(text, now, moment_ahead)


def _seconds(text: str, now: float, read: Callable[[str, int], int]) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return read(text, round(now * 1000)) / 1000
    except ValueError as error:
        raise CommandFailedError(f"{error}, or Unix seconds", BAD_INPUT) from error


def _pair(difference: JSON) -> str:
    sides = (difference["before"], difference["after"])
    return " → ".join(item_line(side) for side in sides if side)


def _took(found: JSON) -> str:
    took = found.get("duration_ms")
    return "" if took is None else lasted(took / 1000)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)})"
