"""The inference servers, as the operator names them; a YAML file may name several."""

import os
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from turnwire_chassis.lifecycle.followed_file import FileKind
from turnwire_chassis.yaml_place import YamlPlace, read_yaml
from turnwire_orchestrator.prompting.dialect import Api

APIS: Final[Mapping[str, Api | None]] = {"auto": None, **{api.value: api for api in Api}}
"""How the API is told; `auto`: it is found out."""

_KEYS = ("name", "url", "api_key_env", "api", "models", "weight", "backup")


class Server(Struct, frozen=True):
    """What the operator says of an inference server."""

    name: str
    url: str
    """The base of its API, which ends in /v1."""
    api_key: str | None = None
    api: Api | None = None
    """`None`: to be found out."""
    models: tuple[str, ...] = ()
    """Names and globs of what it serves; empty: whatever it lists."""
    weight: float = 1.0
    """Its share of the samples among servers of the same model."""
    backup: bool = False
    """Whether it is asked only when no other server of the model can be."""


def read_servers(text: str, file: str) -> tuple[Server, ...]:
    """Read a file of backends, with the keys of this environment. Raises `PlaceError`."""
    return parse_servers(text, file, os.environ)


FILE: Final = FileKind("backends", "TURNWIRE_BACKENDS", read_servers)


def parse_servers(text: str, file: str, environ: Mapping[str, str]) -> tuple[Server, ...]:
    """Read a file of backends; keys stand in the environment. Raises `PlaceError`."""
    top = read_yaml(text, file).fields(known=("backends",), required=("backends",))
    found: dict[str, Server] = {}
    for place in top["backends"].items():
        server = _server(place, environ)
        if server.name in found:
            raise place.error(f"there are two backends with the name '{server.name}'")
        found[server.name] = server
    if not found:
        raise top["backends"].error("must name at least one backend")
    return tuple(found.values())


def _server(place: YamlPlace, environ: Mapping[str, str]) -> Server:
    fields = place.fields(known=_KEYS, required=("name", "url"))
    api, key, models = fields.get("api"), fields.get("api_key_env"), fields.get("models")
    weight, backup = fields.get("weight"), fields.get("backup")
    return Server(
        name=fields["name"].text(),
        url=_url(fields["url"]),
        api_key=_key(key, environ) if key else None,
        api=APIS[api.one_of(APIS)] if api else None,
        models=tuple(name.text() for name in models.items()) if models else (),
        weight=weight.positive() if weight else 1.0,
        backup=backup.flag() if backup else False,
    )


def _url(place: YamlPlace) -> str:
    url = place.text()
    if not url.startswith(("http://", "https://")):
        raise place.error("must begin with http:// or https://, like http://127.0.0.1:8000/v1")
    return url


def _key(place: YamlPlace, environ: Mapping[str, str]) -> str:
    name = place.text()
    if not environ.get(name):
        raise place.error(f"the environment variable {name} is not set")
    return environ[name]
