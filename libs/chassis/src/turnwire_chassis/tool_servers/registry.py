"""The MCP servers that the operator offers: requests name them by their label.

    servers:
      search:
        url: http://search.internal:8080/mcp
        description: Searches our documents.
        authorization_env: SEARCH_TOKEN
        headers_env: { X-Tenant: SEARCH_TENANT }
        allowed_tools: [search, fetch]
        require_approval: { never: { read_only: true } }
        timeout_s: 30

The file holds no secrets: it names environment variables, which only the tool-runner reads. Its
URLs are the operator's own: they may be http and lead anywhere. Read from text, no I/O.
"""

import re
from collections.abc import Mapping
from typing import Literal, cast
from urllib.parse import urlsplit

from msgspec import Struct

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.yaml_place import YamlPlace, read_yaml

SETTING = "TURNWIRE_MCP_SERVERS"

# OpenAI's rule for `server_label`.
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_KEYS = (
    "url",
    "description",
    "authorization_env",
    "headers_env",
    "allowed_tools",
    "require_approval",
    "timeout_s",
)


class ToolFilter(Struct, frozen=True, omit_defaults=True):
    """Some tools of a server (OpenAI: `McpToolFilter`); those that fit all that is said."""

    tool_names: tuple[str, ...] | None = None
    read_only: bool | None = None
    """MCP `readOnlyHint`."""


class ApprovalFilter(Struct, frozen=True, omit_defaults=True):
    """Which tools need approval, and which do not."""

    always: ToolFilter | None = None
    never: ToolFilter | None = None


Approval = Literal["always", "never"] | ApprovalFilter


class RegisteredServer(Struct, frozen=True):
    """One MCP server of the operator; `None` leaves to the request what it says of that."""

    label: str
    url: str
    description: str | None = None
    authorization_env: str | None = None
    """The environment variable with its bearer token."""
    headers_env: tuple[tuple[str, str], ...] = ()
    """Names of headers, and of the environment variables with their values."""
    allowed_tools: tuple[str, ...] | None = None
    """Requests see no others."""
    require_approval: Approval | None = None
    timeout_s: float | None = None
    """Seconds that a call may go without an answer or a sign of progress."""


Registry = Mapping[str, RegisteredServer]
"""Servers by their label."""


def parse_tool_servers(text: str, file: str) -> Registry:
    """Parse the operator's file; `file` names it in errors. Raises `PlaceError`."""
    top = read_yaml(text, file).fields(known=("servers",), required=("servers",))
    return {label: _server(label, each) for label, each in top["servers"].entries().items()}


def credentials(server: RegisteredServer, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the headers that authenticate us. Raises `SettingsError`, which quotes no value."""
    headers = {name: _secret(server, variable, environ) for name, variable in server.headers_env}
    if server.authorization_env is not None:
        token = _secret(server, server.authorization_env, environ)
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _secret(server: RegisteredServer, variable: str, environ: Mapping[str, str]) -> str:
    # Files of secrets end in a newline, and so do the variables that are made of them.
    value = environ.get(variable, "").strip()
    if not value:
        problem = "is not set"
    elif not _VALUE.fullmatch(value):
        problem = "has characters that cannot stand in a header"
    else:
        return value
    raise SettingsError(
        f"{SETTING}: the environment variable {variable} of server '{server.label}' {problem}"
    )


def _server(label: str, place: YamlPlace) -> RegisteredServer:
    if not _LABEL.fullmatch(label):
        raise place.error(
            "a label begins with a letter, followed by at most 63 letters, digits, '-' and '_'"
        )
    fields = place.fields(known=_KEYS, required=("url",))
    description, token = fields.get("description"), fields.get("authorization_env")
    headers, tools = fields.get("headers_env"), fields.get("allowed_tools")
    approval, timeout_s = fields.get("require_approval"), fields.get("timeout_s")
    return RegisteredServer(
        label=label,
        url=_url(fields["url"]),
        description=description.text() if description else None,
        authorization_env=_variable(token) if token else None,
        headers_env=_headers(headers, has_token=token is not None) if headers else (),
        allowed_tools=_names(tools) if tools else None,
        require_approval=_approval(approval) if approval else None,
        timeout_s=timeout_s.positive() if timeout_s else None,
    )


def _url(place: YamlPlace) -> str:
    url = place.text()
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
        parts = urlsplit("")
    if not fits or not url.isprintable() or " " in url:
        raise place.error("must be an http or https URL, like http://127.0.0.1:8000/mcp")
    if "@" in parts.netloc:
        raise place.error("must not contain a user or password: use 'authorization_env'")
    if "#" in url:
        raise place.error("must not have a fragment ('#…')")
    return url


def _headers(place: YamlPlace, *, has_token: bool) -> tuple[tuple[str, str], ...]:
    headers: dict[str, tuple[str, str]] = {}
    for name, each in place.entries().items():
        if not _HEADER.fullmatch(name):
            raise each.error("is no name of a header")
        if name.lower() in headers:
            raise each.error("is there twice")
        if has_token and name.lower() == "authorization":
            raise each.error("is what 'authorization_env' sets: remove one of them")
        headers[name.lower()] = (name, _variable(each))
    return tuple(headers.values())


def _variable(place: YamlPlace) -> str:
    name = place.text()
    if not _VARIABLE.fullmatch(name):
        # It may be the secret itself: it is not quoted.
        raise place.error("must be the name of an environment variable, not its value")
    return name


def _approval(place: YamlPlace) -> Approval:
    if not place.is_mapping():
        return cast("Approval", place.one_of(("always", "never")))
    fields = place.fields(known=("always", "never"), required=())
    always, never = fields.get("always"), fields.get("never")
    filters = ApprovalFilter(
        always=_filter(always) if always else None, never=_filter(never) if never else None
    )
    both = set(_named(filters.always)) & set(_named(filters.never))
    if both:
        raise place.error(f"has '{min(both)}' both in 'always' and in 'never'")
    return filters


def _filter(place: YamlPlace) -> ToolFilter:
    fields = place.fields(known=("tool_names", "read_only"), required=())
    names, read_only = fields.get("tool_names"), fields.get("read_only")
    if not fields:
        raise place.error("must say 'tool_names', 'read_only' or both")
    return ToolFilter(
        tool_names=_names(names) if names else None,
        read_only=read_only.flag() if read_only else None,
    )


def _names(place: YamlPlace) -> tuple[str, ...]:
    return tuple(each.text() for each in place.items())


def _named(tools: ToolFilter | None) -> tuple[str, ...]:
    return (tools.tool_names or ()) if tools else ()
