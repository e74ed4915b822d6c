"""Which part needs which secret setting: no other part is told."""

from collections.abc import Mapping
from typing import Final

from turnwire_chassis.settings import PREFIX
from turnwire_dev.parts.members import GATEWAY, MODULES, ORCHESTRATOR, STORE, TOOL_RUNNER

SEAL_KEY: Final = f"{PREFIX}SEAL_KEY"
KEY_PEPPER: Final = f"{PREFIX}KEY_PEPPER"
VIEW_KEY: Final = f"{PREFIX}VIEW_KEY"
BACKEND_API_KEY: Final = f"{PREFIX}BACKEND_API_KEY"

# What lets one in at a collector of traces.
_OTLP_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")

NEEDED_BY: Final[Mapping[str, frozenset[str]]] = {
    SEAL_KEY: frozenset({GATEWAY, TOOL_RUNNER}),
    KEY_PEPPER: frozenset({GATEWAY}),
    VIEW_KEY: frozenset({STORE}),
    BACKEND_API_KEY: frozenset({ORCHESTRATOR}),
    **dict.fromkeys(_OTLP_HEADERS, frozenset(MODULES)),
}


def told_to(
    service: str, environment: Mapping[str, str], named: Mapping[str, frozenset[str]]
) -> dict[str, str]:
    """Leave out the secrets that a part does not need; `named`: those of the operator's files."""
    return {
        name: value
        for name, value in environment.items()
        if service in NEEDED_BY.get(name, frozenset()) | named.get(name, frozenset())
        or not (name in NEEDED_BY or name in named)
    }


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out all of our settings: what is not ours needs none."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
