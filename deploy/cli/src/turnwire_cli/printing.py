"""All that a command prints: text for people, or JSON, lines of JSON or YAML for programs."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias, assert_never

from turnwire_cli.times import TimeFormat, moment

JSON: TypeAlias = dict[str, Any]


class Output(Enum):
    """How a command says what it has to say."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


Column: TypeAlias = tuple[str, Callable[[JSON], object]]
"""A column of a table: its title, and its cell of an object."""

_HIDDEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What could move a terminal's cursor, show words in another order, or is not shown at all, and
halves of characters, which cannot be written: models and tools say what they like. Joiners, which
whole scripts need, are none of it."""

_ENDS_LINES: Final = str.maketrans(
    "\n\t", "\N{SYMBOL FOR NEWLINE}\N{SYMBOL FOR HORIZONTAL TABULATION}"
)

_GREEN, _YELLOW, _RED, _DIM = "32", "33", "31", "2"
_COLORS: Final = {
    "completed": _GREEN,
    "incomplete": _YELLOW,
    "cancelled": _YELLOW,
    "failed": _RED,
    "error": _RED,
    "taken over": _YELLOW,
}


class Printer:
    """What one command prints, in the form that was asked for."""

    def __init__(
        self, output: Output, times: TimeFormat, *, colored: bool = False, quiet: bool = False
    ) -> None:
        """`colored`: whether words of a status have a color; `quiet`: no remarks."""
        self.output = output
        self._times = times
        self._colored = colored and output is Output.TEXT
        self._quiet = quiet

    @property
    def is_text(self) -> bool:
        """Whether people read it."""
        return self.output is Output.TEXT

    def one(self, found: Any, lines: Callable[[], Iterable[str]]) -> None:
        """Print one object; `lines` for people."""
        match self.output:
            case Output.TEXT:
                for line in lines():
                    self.line(line)
            case Output.JSON:
                self._write(_json(found, indent=2))
            case Output.JSONL:
                self._write(_json(found))
            case Output.YAML:
                self._write(in_yaml(found))
            case _:
                assert_never(self.output)

    def many(self, found: Iterable[JSON], columns: Sequence[Column]) -> None:
        """Print a list: a table for people, one array of JSON, a line for each, or one of YAML."""
        match self.output:
            case Output.TEXT:
                self._table(found, columns)
            case Output.JSON | Output.YAML:
                self.one(list(found), list)
            case Output.JSONL:
                for each in found:
                    self.one(each, list)
            case _:
                assert_never(self.output)

    def listed(self, found: Iterable[JSON], line: Callable[[JSON], str]) -> None:
        """Print a list that is no table: a line each for people, else as `many`."""
        if self.is_text:
            self.each(found, line)
        else:
            self.many(found, ())

    def each(self, found: Iterable[JSON], line: Callable[[JSON], str]) -> None:
        """Print objects as they come; of JSON one a line, of YAML one document each."""
        for each in found:
            match self.output:
                case Output.TEXT:
                    self.line(line(each))
                case Output.JSON | Output.JSONL:
                    self._write(_json(each))
                case Output.YAML:
                    self._write("---\n" + in_yaml(each))
                case _:
                    assert_never(self.output)

    def line(self, text: str) -> None:
        """Print a line for people."""
        self._write(safe(text) + "\n")

    def text(self, text: str) -> None:
        """Print a piece of text for people, and no end of a line."""
        self._write(safe(text))

    def remark(self, text: str) -> None:
        """Tell people something that is no result, on standard error."""
        if not self._quiet:
            sys.stderr.write(safe(text) + "\n")

    def problem(self, message: str, **facts: object) -> None:
        """Say what went wrong, on standard error; as an object where programs read."""
        if self.is_text:
            sys.stderr.write(f"{self.colored('error')}: {safe(message)}\n")
            return
        said = {name: value for name, value in facts.items() if value not in {"", None}}
        sys.stderr.write(json.dumps({"error": {"message": message, **said}}) + "\n")

    def moment(self, at: float | None) -> str:
        """Write a moment as `--time` says."""
        return moment(at, self._times, time.time)

    def colored(self, word: str) -> str:
        """Give a word the color of what it says, where there is one."""
        color = _COLORS.get(word) if self._colored else None
        return word if color is None else f"\x1b[{color}m{word}\x1b[0m"

    def _table(self, found: Iterable[JSON], columns: Sequence[Column]) -> None:
        rows = [tuple(in_one_line(_cell(cell(each))) for _, cell in columns) for each in found]
        titles = tuple(title for title, _ in columns)
        widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        for row in (titles, *rows):
            padded = (word.ljust(width) for word, width in zip(row, widths, strict=True))
            cells = [self._in_color(cell) for cell in padded]
            self._write("  ".join(cells).rstrip() + "\n")

    def _in_color(self, cell: str) -> str:
        word = cell.rstrip()
        return self.colored(word) + cell[len(word) :]

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def safe(text: str) -> str:
    """Give a text without what a terminal would do and not show."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def in_one_line(text: str) -> str:
    """Give a text as a part of one line: what it says must not look like a line of its own."""
    return safe(text).translate(_ENDS_LINES)


def may_color(*, refused: bool) -> bool:
    """Tell whether colors are wanted: a terminal that has some. https://no-color.org."""
    if refused or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout.isatty()


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _json(found: Any, indent: int | None = None) -> str:
    return escaped(json.dumps(found, ensure_ascii=False, indent=indent)) + "\n"


def escaped(text: str) -> str:
    """Give a text of JSON in which all is seen; to programs it is the same."""
    return _HIDDEN.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if not found[0].isascii() else f"\\u{ord(found[0]):04x}"


def in_yaml(found: Any) -> str:
    """Write YAML in which all is seen."""
    # Slow to load, and few want it.
    import yaml  # noqa: PLC0415 -- see above

    said = yaml.safe_dump(found, sort_keys=False, allow_unicode=True)
    return said if _HIDDEN.search(said) is None else yaml.safe_dump(found, sort_keys=False)
