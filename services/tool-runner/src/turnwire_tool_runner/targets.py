"""The address and credentials of servers: the operator's registry, and sealed secrets."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from turnwire_chassis.tool_servers.registry import RegisteredServer, Registry, credentials
from turnwire_chassis.tool_servers.secret_envelope import (
    Purpose,
    Sealer,
    SealError,
    ToolServerSecrets,
)
from turnwire_contracts.tools import AskForCall, AskForTools
from turnwire_tool_runner.tool_servers import Target, ToolServerError

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_BEARER = "Bearer "
# What belongs to the connection (RFC 9110 7.6.1), to the body, and to the protocol itself.
_OURS = frozenset(
    {
        "accept", "accept-encoding", "connection", "content-encoding", "content-length",
        "content-type", "expect", "host", "keep-alive", "last-event-id", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_PROTOCOL = "mcp-"
# A shorter text stands in many an answer by chance.
_SHORTEST_SECRET = 8


class KnownTargets:
    """Finds what is registered, and opens what is sealed."""

    def __init__(
        self,
        registry: Registry,
        environ: Mapping[str, str],
        sealer: Sealer | None,
        now_ms: Callable[[], int],
    ) -> None:
        """Read the operator's secrets from `environ`. Raises SettingsError."""
        self._environ = environ
        self._registered = _all_registered(registry, environ)
        self._sealer = sealer
        self._now_ms = now_ms

    @property
    def labels(self) -> Sequence[str]:
        """The servers of the operator, in the order of the file."""
        return [*self._registered]

    async def take(self, registry: Registry) -> None:
        """Find these servers from now on, and no others of the operator. Raises SettingsError."""
        self._registered = _all_registered(registry, self._environ)

    def find(self, question: AskForTools | AskForCall) -> Target:
        """Give the URL and headers of a server.

        Raises `ToolServerError`: `unknown_tool_server`, `invalid_server_credentials`.
        """
        server = question.server
        own_headers = _headers(self._opened(question))
        if server.url:
            return _target(server.url, own_headers)
        registered = self._registered.get(server.label)
        if registered is None:
            text = "It has no 'server_url', and the operator knows no server of that name."
            raise ToolServerError("unknown_tool_server", text, unsent=True)
        # What the operator says comes last: no request can replace it.
        headers = {**own_headers, **dict(registered.headers)}
        return _target(registered.url, headers, of=registered)

    def _opened(self, question: AskForTools | AskForCall) -> ToolServerSecrets:
        sealed = question.server.sealed
        if sealed is None:
            return ToolServerSecrets()
        if self._sealer is None:
            raise _invalid("Its credentials cannot be opened: this runner has no key.")
        purpose = Purpose.of(question.tenant, question.response_id, question.server)
        try:
            return self._sealer.open(sealed, ToolServerSecrets, purpose, self._now_ms())
        except SealError as error:
            if error.code == "expired":
                raise _invalid("Its credentials have expired: send them again.") from None
            raise _invalid("Its credentials cannot be opened: send them again.") from None


def _all_registered(registry: Registry, environ: Mapping[str, str]) -> Mapping[str, Target]:
    return {label: _registered(server, environ) for label, server in registry.items()}


def _registered(server: RegisteredServer, environ: Mapping[str, str]) -> Target:
    headers = {name.lower(): value for name, value in credentials(server, environ).items()}
    allowed = server.allowed_tools
    return Target(
        url=server.url,
        headers=tuple(sorted(headers.items())),
        is_operators=True,
        allowed=None if allowed is None else frozenset(allowed),
        timeout_s=server.timeout_s,
    )


def _headers(secrets: ToolServerSecrets) -> dict[str, str]:
    """Give what may be sent, by names in lower case. Raises ToolServerError."""
    headers = {
        name.lower(): value for name, value in secrets.headers.items() if not _is_ours(name.lower())
    }
    if secrets.authorization:
        token = secrets.authorization
        is_whole = token.lower().startswith(_BEARER.lower())
        headers["authorization"] = token if is_whole else _BEARER + token
    for name, value in headers.items():
        # Neither is quoted: they are secrets.
        if not _NAME.fullmatch(name) or not (value == "" or _VALUE.fullmatch(value)):
            raise _invalid("Its 'headers' or 'authorization' cannot stand in a header.")
    return headers


def _is_ours(name: str) -> bool:
    return name in _OURS or name.startswith(_PROTOCOL)


def _target(url: str, headers: Mapping[str, str], of: Target | None = None) -> Target:
    return Target(
        url=url,
        headers=tuple(sorted(headers.items())),
        secrets=tuple(_secrets(headers.values())),
        is_operators=of is not None,
        allowed=of.allowed if of else None,
        timeout_s=of.timeout_s if of else None,
    )


def _secrets(values: Iterable[str]) -> Iterable[str]:
    for value in values:
        # Of two that contain each other, the longer one has to go first.
        for secret in (value, value.removeprefix(_BEARER)):
            if len(secret) >= _SHORTEST_SECRET:
                yield secret


def _invalid(text: str) -> ToolServerError:
    return ToolServerError("invalid_server_credentials", text, unsent=True)
