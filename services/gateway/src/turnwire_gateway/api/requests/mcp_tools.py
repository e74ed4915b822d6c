"""Tools of type `mcp` in a request: what is kept of them, and what only their server may see.

No I/O. OpenAI: `Mcp`, `McpToolFilter`, `McpAllowedTools`, `McpRequireApproval`. Where a
URL leads is checked by the tool-runner, which connects to it.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from turnwire_chassis.tool_servers.registry import RegisteredServer, Registry
from turnwire_chassis.tool_servers.secret_envelope import ToolServerSecrets
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.tools import ToolServer
from turnwire_gateway.api.requests.client_urls import client_url
from turnwire_gateway.api.requests.shapes import wrong
from turnwire_gateway.errors import not_supported

ALWAYS: Final = "always"
_WORDS = (ALWAYS, "never")

Allowed = list[str] | JSON
"""Names, or a filter: `{"tool_names": […]?, "read_only": bool?}`."""
Approval = str | JSON
"""`always`, `never`, or `{"always": filter?, "never": filter?}`."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_LONGEST_SECRET = 16_384
_MOST_HEADERS = 32
_SECRETS = ("authorization", "headers")
_OTHER_WAYS = ("connector_id", "tunnel_id")


class DeclaredTools(Struct, frozen=True):
    """What a request declares."""

    tools: list[JSON]
    """All its tools, without secrets; what the operator says of a server is in them."""
    secrets: dict[ToolServer, ToolServerSecrets]


NO_TOOLS: Final = DeclaredTools([], {})


def declared(tools: list[JSON], registry: Registry) -> DeclaredTools:
    """Read the tools of a request. Raises `ApiError` (400) naming the place."""
    kept: list[JSON] = []
    secrets: dict[ToolServer, ToolServerSecrets] = {}
    labels: set[str] = set()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if tool["type"] != "mcp":
            kept.append(tool)
            continue
        fields = {name: value for name, value in tool.items() if value is not None}
        server = _server(fields, place, registry)
        if server.label in labels:
            raise wrong(f"{place}.server_label", "is there twice")
        labels.add(server.label)
        secret = _secret(fields, place)
        if secret is not None:
            secrets[server] = secret
        kept.append(_kept(fields, place, None if server.url else registry[server.label]))
    return DeclaredTools(kept, secrets)


def check_choice(choice: Any, tools: list[JSON]) -> None:
    """Refuse a `tool_choice` of an MCP server that is not declared; raises `ApiError` (400)."""
    labels = {tool.get("server_label") for tool in tools if tool["type"] == "mcp"}
    chosen = mapping(choice)
    _check_chosen(chosen, "tool_choice", labels)
    if chosen.get("type") == "allowed_tools":
        for index, each in enumerate(objects(chosen.get("tools"))):
            _check_chosen(each, f"tool_choice.tools[{index}]", labels)


def _check_chosen(chosen: JSON, place: str, labels: set[Any]) -> None:
    if chosen.get("type") != "mcp":
        return
    label, name = chosen.get("server_label"), chosen.get("name")
    if not isinstance(label, str) or label not in labels:
        raise wrong(f"{place}.server_label", "no tool of type `mcp` has this `server_label`")
    if name is not None and not isinstance(name, str):
        raise wrong(f"{place}.name", "must be the name of a tool")


def _server(fields: JSON, place: str, registry: Registry) -> ToolServer:
    for name in _OTHER_WAYS:
        if name in fields:
            message = "Connectors are OpenAI's own. Name a server by `server_url`."
            raise not_supported(f"{place}.{name}", message)
    label, url = fields.get("server_label"), fields.get("server_url")
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise wrong(f"{place}.server_label", "must be 1 to 64 letters, digits, '-' and '_'")
    if url is not None:
        return ToolServer(label, client_url(url, f"{place}.server_url", "use `authorization`"))
    if label not in registry:
        message = f"is missing, and the operator offers no server '{label}'"
        raise wrong(f"{place}.server_url", message)
    return ToolServer(label)


def _secret(fields: JSON, place: str) -> ToolServerSecrets | None:
    authorization = fields.get("authorization")
    if authorization is not None and not _is_header_value(authorization):
        raise wrong(f"{place}.authorization", "must be a token as it can stand in a header")
    headers = _headers(fields.get("headers"), f"{place}.headers")
    if authorization is not None and "authorization" in map(str.lower, headers):
        raise wrong(f"{place}.headers", "must not repeat what `authorization` says")
    if authorization is None and not headers:
        return None
    return ToolServerSecrets(authorization, headers)


def _headers(given: Any, place: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise wrong(place, "must be an object of texts")
    headers: dict[str, str] = mapping(given)
    if len(headers) > _MOST_HEADERS:
        raise wrong(place, f"must be at most {_MOST_HEADERS} headers")
    if len({name.lower() for name in headers}) < len(headers):
        raise wrong(place, "must not have a header twice")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or not _is_header_value(value):
            raise wrong(place, "must be names of headers with texts as they can stand in them")
    return headers


def _is_header_value(value: Any) -> bool:
    if not isinstance(value, str) or len(value) > _LONGEST_SECRET:
        return False
    return _HEADER_VALUE.fullmatch(value) is not None


def _kept(fields: JSON, place: str, offered: RegisteredServer | None) -> JSON:
    """Give a tool as it is kept: what a request leaves out, the operator may have set."""
    description = fields.get("server_description")
    if description is not None and not isinstance(description, str):
        raise wrong(f"{place}.server_description", "must be a text")
    allowed = allowed_of(fields.get("allowed_tools"), f"{place}.allowed_tools")
    approval = approval_of(fields.get("require_approval"), f"{place}.require_approval")
    if offered is not None:
        description = description or offered.description
        allowed = narrowed(allowed, offered.allowed_tools)
        approval = approval or msgspec.to_builtins(offered.require_approval)
    kept = {name: value for name, value in fields.items() if name not in _SECRETS}
    described = {"server_description": description, "allowed_tools": allowed}
    kept |= {name: value for name, value in described.items() if value is not None}
    return {**kept, "require_approval": approval or ALWAYS}


def allowed_of(given: Any, place: str) -> Allowed | None:
    """Read `allowed_tools`; `None` allows all. Raises `ApiError` (400)."""
    if isinstance(given, list):
        return _names(cast("list[Any]", given), place)
    if given is None or isinstance(given, dict):
        return _filter(mapping(given), place) or None
    raise wrong(place, "must be a list of names or a filter")


def approval_of(given: Any, place: str) -> Approval | None:
    """Read `require_approval`; `None` says nothing. Raises `ApiError` (400).

    A filter that says nothing frees nothing: it falls away.
    """
    if given is None or given in _WORDS:
        return given
    if not isinstance(given, dict):
        raise wrong(place, "must be 'always', 'never' or filters of both")
    approval = mapping(cast("object", given))
    filters: JSON = {}
    for word in _WORDS:
        each = approval.get(word)
        if each is not None and not isinstance(each, dict):
            raise wrong(f"{place}.{word}", "must be a filter")
        if read := _filter(mapping(each), f"{place}.{word}"):
            filters[word] = read
    return filters or None


def narrowed(allowed: Allowed | None, most: Sequence[str] | None) -> Allowed | None:
    """Give those allowed tools that the operator allows too; `None` on both sides allows all."""
    if most is None:
        return allowed
    if allowed is None:
        return [*most]
    if isinstance(allowed, list):
        return [name for name in allowed if name in most]
    names = allowed.get("tool_names")
    return {**allowed, "tool_names": [name for name in most if names is None or name in names]}


def _filter(given: JSON, place: str) -> JSON:
    tool_filter: JSON = {}
    names, read_only = given.get("tool_names"), given.get("read_only")
    if names is not None:
        if not isinstance(names, list):
            raise wrong(f"{place}.tool_names", "must be a list of names")
        tool_filter["tool_names"] = _names(cast("list[Any]", names), f"{place}.tool_names")
    if read_only is not None:
        if not isinstance(read_only, bool):
            raise wrong(f"{place}.read_only", "must be a boolean")
        tool_filter["read_only"] = read_only
    return tool_filter


def _names(given: list[Any], place: str) -> list[str]:
    for index, name in enumerate(given):
        if not isinstance(name, str) or not name:
            raise wrong(f"{place}[{index}]", "must be the name of a tool")
    return given
