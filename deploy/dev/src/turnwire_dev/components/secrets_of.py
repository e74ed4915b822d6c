"""Which component needs which secret setting; no other gets it."""

from collections.abc import Mapping
from typing import Final

from turnwire_chassis.settings import PREFIX
from turnwire_dev.components.members import GATEWAY, MODULES, ORCHESTRATOR, STORE, TOOL_RUNNER

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


def component_environment(
    service: str, environment: Mapping[str, str], named: Mapping[str, frozenset[str]]
) -> dict[str, str]:
    """Give the environment of a component, without the secrets that it does not need.

    `named`: the variables that the operator's files name, and the services that need each.
    """
    return {
        name: value
        for name, value in environment.items()
        if service in NEEDED_BY.get(name, frozenset()) | named.get(name, frozenset())
        or not (name in NEEDED_BY or name in named)
    }


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """Give an environment without settings of Turnwire, for programs that are not ours."""
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}
