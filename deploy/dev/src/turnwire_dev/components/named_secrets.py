"""Variables that the operator's files name: each is for the service that reads the file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from turnwire_chassis.settings import PREFIX
from turnwire_chassis.yaml_place import PlaceError, YamlPlace, read_yaml
from turnwire_dev.components.members import GUARD, ORCHESTRATOR, TOOL_RUNNER

_READ_BY: Final[Mapping[str, str]] = {
    f"{PREFIX}BACKENDS": ORCHESTRATOR,
    f"{PREFIX}GUARD_POLICY": GUARD,
    f"{PREFIX}MCP_SERVERS": TOOL_RUNNER,
}
_NAMES_VARIABLES: Final = "_env"
"""How the keys end whose values are names of variables: `api_key_env`, `headers_env`, ….

Providers from elsewhere bring keys of their own, so it is this that counts and no list of keys.
"""


def named_in_files(environment: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Say of each variable that a file names which services need it.

    A file that cannot be read names none: the service that reads it says what is wrong.
    """
    needed_by: dict[str, frozenset[str]] = {}
    for setting, service in _READ_BY.items():
        if file := environment.get(setting):
            for name in _names_in(Path(file).expanduser()):
                needed_by[name] = needed_by.get(name, frozenset()) | {service}
    return needed_by


def _names_in(file: Path) -> frozenset[str]:
    try:
        return frozenset(_names(read_yaml(file.read_text(encoding="utf-8"), str(file))))
    except (OSError, UnicodeDecodeError, PlaceError, RecursionError):
        return frozenset()


def _names(place: YamlPlace) -> Iterator[str]:
    if place.is_list():
        for each in place.items():
            yield from _names(each)
    elif place.is_mapping():
        for key, each in place.entries().items():
            yield from _said(each) if key.endswith(_NAMES_VARIABLES) else _names(each)


def _said(place: YamlPlace) -> Iterator[str]:
    if place.is_mapping():
        for each in place.entries().values():
            yield each.text()
    elif not place.is_list():
        yield place.text()
