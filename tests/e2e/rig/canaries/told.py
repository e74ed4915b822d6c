"""Secrets of all kinds that a stack is told, each with the only places in which it may stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from e2e.rig.stack import Stack
from turnwire_chassis.broker_authorization.rights import User
from turnwire_dev.components.members import MODULES


@dataclass(frozen=True)
class Canary:
    """One secret."""

    secret: str
    homes: frozenset[str] = frozenset()
    """The sinks that have it by design: all of these, and no other."""


def _for(service: str) -> Canary:
    return Canary(token_hex(16), frozenset({f"environ of {service}"}))


_LOG: Final = "nats/jetstream/$G/streams/TURNS/msgs/1.blk"

CALLERS: Final[Mapping[str, Canary]] = {
    "JWT": Canary(f"eyJhbGciOiJSUzI1NiJ9.eyJ{token_hex(16)}.{token_hex(32)}"),
    # The URL is content, like all of a tool but its credentials: it is kept with its turn.
    "query of an MCP URL that is refused": Canary(token_hex(16), frozenset({_LOG})),
    **{
        name: Canary(token_hex(16))
        for name in (
            "wrong token",
            "cookie",
            "query of a URL",
            "Idempotency-Key",
            "MCP authorization",
            "MCP header",
            "MCP authorization that is refused",
            "user of an MCP URL",
            "input that is blocked",
            "input that the model blocks",
            "item that is blocked",
            "text that is checked",
            "answer that is blocked",
        )
    },
}
"""What comes with requests and answers."""

OPERATORS: Final[Mapping[str, tuple[str, Canary]]] = {
    "OFFICE_TOKEN": ("token of the operator's MCP server", _for("tool-runner")),
    "OFFICE_HEADER": ("header of the operator's MCP server", _for("tool-runner")),
    "JUDGE_KEY": ("key of the guard's model", _for("guard")),
    "TURNWIRE_BACKEND_API_KEY": ("key of the backend", _for("orchestrator")),
}
"""What the operator puts into the environment, by the variable: each is for one service."""

_RUNNERS: Final[Mapping[str, tuple[str, ...]]] = {
    "seal.key": ("gateway", "tool-runner"),
    "key.pepper": ("gateway",),
    "view.key": ("store",),
    **{f"nats-users/{user}.seed": () for user in User},
}
"""What the runner makes, by its file, and the services that are told."""

CALLERS_KEY: Final = "API key of the caller"

COLLECTORS_KEY: Final = "key of the collector of traces"
COLLECTOR: Final = Canary(token_hex(16), frozenset(f"environ of {each}" for each in MODULES))

NAMES: Final = (
    *CALLERS,
    *(name for name, _ in OPERATORS.values()),
    *_RUNNERS,
    CALLERS_KEY,
    COLLECTORS_KEY,
)


def all_told(stack: Stack) -> Mapping[str, Canary]:
    """Give every canary of a stack that has started, by the names in `NAMES`."""
    return {
        **CALLERS,
        **dict(OPERATORS.values()),
        **{file: _made(stack, file, services) for file, services in _RUNNERS.items()},
        CALLERS_KEY: Canary(stack.key),
        COLLECTORS_KEY: COLLECTOR,
    }


def _made(stack: Stack, file: str, services: tuple[str, ...]) -> Canary:
    secret = (stack.data / file).read_text(encoding="ascii").strip()
    return Canary(secret, frozenset({file, *(f"environ of {each}" for each in services)}))
