"""A value in a YAML file that knows its file, line and key, so that complaints can name them."""

import contextlib
import difflib
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import yaml

_TEXT = "tag:yaml.org,2002:str"
_FLAG = "tag:yaml.org,2002:bool"
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_TRUE = frozenset({"true", "yes", "on"})


class PlaceError(Exception):
    """A file says something that cannot be; the text begins with file, line and key."""


@dataclass(frozen=True, slots=True)
class YamlPlace:
    """One value and where it stands. Methods raise `PlaceError` for a value of another type."""

    file: str
    line: int
    """Where its key stands, from 0; for an element of a list, where itself does."""
    key: str
    node: yaml.Node

    def error(self, message: str) -> PlaceError:
        """Put file, line and key in front of a complaint about this value."""
        return _error(self.file, self.line, self.key, message)

    def entries(self) -> dict[str, "YamlPlace"]:
        """Give the values of a mapping with keys of any name, in their order."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("must be a mapping (key: value)")
        entries: dict[str, YamlPlace] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error("must have plain words as keys")
            name = str(key.value)
            place = YamlPlace(self.file, key.start_mark.line, self._below(name), value)
            if name in entries:
                raise place.error("is there twice")
            entries[name] = place
        return entries

    def is_mapping(self) -> bool:
        """Tell whether it is a mapping."""
        return isinstance(self.node, yaml.MappingNode)

    def is_list(self) -> bool:
        """Tell whether it is a list."""
        return isinstance(self.node, yaml.SequenceNode)

    def fields(self, known: Collection[str], required: Collection[str]) -> dict[str, "YamlPlace"]:
        """Give the values of a mapping by key.

        Keys that are not `known` are refused, and `required` ones that are missing.
        """
        entries = self.entries()
        for place in (entries[name] for name in entries if name not in known):
            name = place.key.rpartition(".")[2]
            raise place.error(f"there is no such key. {suggestion(name, known)}")
        for name in required:
            if name not in entries:
                raise self.error(f"the key '{name}' is missing")
        return entries

    def items(self) -> list["YamlPlace"]:
        """Give the values of a list, in their order."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("must be a list (- …)")
        return [
            YamlPlace(self.file, node.start_mark.line, f"{self.key}[{index}]", node)
            for index, node in enumerate(self.node.value)
        ]

    def text(self) -> str:
        """Give a text that is not empty."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error("must be a text")
        if self.node.tag != _TEXT:
            raise self.error(f"must be a text; write it in quotes: '{self.node.value}'")
        if not self.node.value:
            raise self.error("must not be empty")
        return str(self.node.value)

    def flag(self) -> bool:
        """Give a truth value: true, yes or on; false, no or off."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _FLAG:
            raise self.error("must be true or false")
        return str(self.node.value).lower() in _TRUE

    def positive(self) -> float:
        """Give a number above 0."""
        node = self.node
        if isinstance(node, yaml.ScalarNode) and node.tag in _NUMBERS:
            # YAML 1.1 knows numbers that Python does not, such as 1:30.
            with contextlib.suppress(ValueError):
                if 0 < (number := float(node.value)) < math.inf:
                    return number
        raise self.error("must be a number above 0")

    def whole(self) -> int:
        """Give a whole number above 0."""
        number = self.positive()
        if number != int(number):
            raise self.error("must be a whole number above 0")
        return int(number)

    def probability(self) -> float:
        """Give a number above 0 and below 1."""
        number = self.positive()
        if number >= 1:
            raise self.error("must be a probability between 0 and 1")
        return number

    def is_word(self, word: str) -> bool:
        """Tell whether it is the text `word`."""
        return isinstance(self.node, yaml.ScalarNode) and self.node.value == word

    def one_of(self, choices: Collection[str]) -> str:
        """Give a text that is one of `choices`."""
        chosen = self.text()
        if chosen not in choices:
            raise self.error(f"'{chosen}' is not possible. {suggestion(chosen, choices)}")
        return chosen

    def _below(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name


def read_yaml(text: str, file: str) -> YamlPlace:
    """Parse one YAML document; `file` names it in errors. Raises `PlaceError`."""
    try:
        node = cast("yaml.Node | None", yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise _error(file, line, "", f"this is not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise _error(file, 0, "", f"this is not YAML: {error}") from error
    except RecursionError as error:
        raise _error(file, 0, "", "is nested too deeply") from error
    if node is None:
        raise _error(file, 0, "", "the file is empty")
    return YamlPlace(file, 0, "", node)


def suggestion(wrong: str, known: Collection[str]) -> str:
    """Suggest the word of `known` that `wrong` may have meant, or else list them all."""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean '{near[0]}'?"
    return "Possible: " + ", ".join(f"'{name}'" for name in sorted(known)) + "."


def _error(file: str, line: int, key: str, message: str) -> PlaceError:
    place = f"{file}:{line + 1}: "
    return PlaceError(f"{place}{key}: {message}" if key else f"{place}{message}")
