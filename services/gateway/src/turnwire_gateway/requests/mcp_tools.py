"""Tools of type `mcp` in a request: what is kept of them, and what only their server may see.

No I/O. OpenAI: `Mcp`. What stands behind a URL is judged by who connects to it: the tool-runner.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from turnwire_chassis.tool_servers.registry import RegisteredServer, Registry
from turnwire_chassis.tool_servers.sealing import ToolServerSecrets
from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_contracts.tools import ToolServer
from turnwire_gateway.answers.errors import not_supported
from turnwire_gateway.requests.tool_filters import (
    ALWAYS,
    allowed_of,
    approval_of,
    narrowed,
    wrong,
)

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_LONGEST_URL = 2048
_LONGEST_SECRET = 16_384
_MOST_HEADERS = 32
_SECRETS = ("authorization", "headers")
_OTHER_WAYS = ("connector_id", "tunnel_id")


class Declared(Struct, frozen=True):
    """What a request declares."""

    tools: list[JSON]
    """All its tools, without secrets; what the operator says of a server is in them."""
    secrets: dict[ToolServer, ToolServerSecrets]


def declared(tools: list[JSON], registry: Registry) -> Declared:
    """Read the tools of a request. Raises `ApiError` (400) naming the place."""
    kept: list[JSON] = []
    secrets: dict[ToolServer, ToolServerSecrets] = {}
    labels: set[str] = set()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if tool["type"] != "mcp":
            kept.append(tool)
            continue
        told = {name: value for name, value in tool.items() if value is not None}
        server = _server(told, place, registry)
        if server.label in labels:
            raise wrong(f"{place}.server_label", "is there twice")
        labels.add(server.label)
        secret = _secret(told, place)
        if secret is not None:
            secrets[server] = secret
        kept.append(_kept(told, place, None if server.url else registry[server.label]))
    return Declared(kept, secrets)


def check_choice(choice: Any, tools: list[JSON]) -> None:
    """Refuse a `tool_choice` of an MCP server that is not declared; raises `ApiError` (400)."""
    labels = {tool.get("server_label") for tool in tools if tool["type"] == "mcp"}
    wanted = mapping(choice)
    _check_chosen(wanted, "tool_choice", labels)
    if wanted.get("type") == "allowed_tools":
        for index, each in enumerate(objects(wanted.get("tools"))):
            _check_chosen(each, f"tool_choice.tools[{index}]", labels)


def _check_chosen(wanted: JSON, place: str, labels: set[Any]) -> None:
    if wanted.get("type") != "mcp":
        return
    label, name = wanted.get("server_label"), wanted.get("name")
    if not isinstance(label, str) or label not in labels:
        raise wrong(f"{place}.server_label", "no tool of type `mcp` has this `server_label`")
    if name is not None and not isinstance(name, str):
        raise wrong(f"{place}.name", "must be the name of a tool")


def _server(told: JSON, place: str, registry: Registry) -> ToolServer:
    for name in _OTHER_WAYS:
        if name in told:
            message = "Connectors are OpenAI's own. Name a server by `server_url`."
            raise not_supported(f"{place}.{name}", message)
    label, url = told.get("server_label"), told.get("server_url")
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise wrong(f"{place}.server_label", "must be 1 to 64 letters, digits, '-' and '_'")
    if url is not None:
        return ToolServer(label, _url(url, f"{place}.server_url"))
    if label not in registry:
        message = f"is missing, and the operator offers no server '{label}'"
        raise wrong(f"{place}.server_url", message)
    return ToolServer(label)


def _url(given: Any, place: str) -> str:
    """Read a URL; it is not quoted, because some hide a key in it."""
    if not isinstance(given, str) or len(given) > _LONGEST_URL or not given.isprintable():
        raise wrong(place, f"must be a URL of at most {_LONGEST_URL} characters")
    try:
        parts = urlsplit(given)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise wrong(place, "must be a URL") from None
    if not fits or " " in given:
        raise wrong(place, "must be an https:// or http:// URL")
    if "@" in parts.netloc:
        raise wrong(place, "must not contain a user or password: use `authorization`")
    return given


def _secret(told: JSON, place: str) -> ToolServerSecrets | None:
    authorization = told.get("authorization")
    if authorization is not None and not _is_header_value(authorization):
        raise wrong(f"{place}.authorization", "must be a token as it can stand in a header")
    headers = _headers(told.get("headers"), f"{place}.headers")
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


def _kept(told: JSON, place: str, offered: RegisteredServer | None) -> JSON:
    """Give a tool as it is kept: what a request does not say, the operator may have said."""
    description = told.get("server_description")
    if description is not None and not isinstance(description, str):
        raise wrong(f"{place}.server_description", "must be a text")
    allowed = allowed_of(told.get("allowed_tools"), f"{place}.allowed_tools")
    approval = approval_of(told.get("require_approval"), f"{place}.require_approval")
    if offered is not None:
        description = description or offered.description
        allowed = narrowed(allowed, offered.allowed_tools)
        approval = approval or msgspec.to_builtins(offered.require_approval)
    kept = {name: value for name, value in told.items() if name not in _SECRETS}
    said = {"server_description": description, "allowed_tools": allowed}
    kept |= {name: value for name, value in said.items() if value is not None}
    return {**kept, "require_approval": approval or ALWAYS}
