"""Which processes one `turnwire up` starts, with which environment; nothing runs yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from turnwire_chassis.settings import PREFIX
from turnwire_chassis.storage_space import MIB
from turnwire_dev.components import model, mongo, nats
from turnwire_dev.components.members import (
    GATEWAY,
    MODULES,
    STORE,
    Member,
    gateway_child,
    service_child,
)
from turnwire_dev.components.named_secrets import named_in_files
from turnwire_dev.components.nats_security import secure
from turnwire_dev.components.secrets_of import KEY_PEPPER, SEAL_KEY, VIEW_KEY, component_environment
from turnwire_dev.instance.callers import is_single_user
from turnwire_dev.instance.disk import room_to_restart
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.generated_secrets import seal_key
from turnwire_dev.instance.ports import choose, http_url
from turnwire_dev.scale import member_names
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.process import ChildSpec

MONITOR = "nats-monitor"
_SEED = f"{PREFIX}NATS_NKEY_SEED_FILE"
_FOREIGN = (_SEED, f"{PREFIX}NATS_CREDENTIALS", f"{PREFIX}NATS_CA")
"""Credentials for a broker of the user's; the embedded one has its own."""
_ALLOWED = f"{PREFIX}ALLOW_PRIVATE_URLS"
_STORAGE = f"{PREFIX}STORAGE_DIR"
_OUTPUT = f"{PREFIX}OUTPUT_MAX_BYTES"
OUTPUT_BYTES = 64 * MIB
"""Of frames that a broker keeps in memory that is started here; a cluster's keeps more."""
_LOOPBACK = "loopback"
"""With one user, who is on this machine, MCP servers on it may be called."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The address of each component, started here or the user's."""

    api: str
    nats: str
    mongodb: str
    backend: str
    """Empty where a file names the backends."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The children; all start at once, and find each other by retrying."""

    addresses: Addresses
    children: tuple[ChildSpec, ...]


def make_plan(settings: RunnerSettings, folder: DataFolder, environ: Mapping[str, str]) -> Plan:
    """Decide what to start; makes the secrets that are missing.

    Raises PartMissingError, LogKeyError, and OSError when there is no free port.
    """
    named = named_in_files(environ)
    services = {
        member: service
        for service, count in settings.members.items()
        for member in member_names(service, count)
    }
    # The first members come before all others, so that their ports stay when others are added.
    more = [member for member in services if member not in MODULES]
    names = (nats.NAME, MONITOR, mongo.NAME, model.NAME, *MODULES, *more)
    ports = choose(names, folder.path, taken=settings.port)
    addresses = _addresses(settings, ports)
    members = [Member(service, name, ports[name]) for name, service in services.items()]
    environment = _environment(settings, folder, addresses, environ)
    children = (
        *_context(settings, folder, ports),
        *_services(settings, folder, environment, members),
    )
    return Plan(
        addresses=addresses,
        children=tuple(
            replace(
                child,
                environment=component_environment(
                    services.get(child.name, child.name), child.environment, named
                ),
            )
            for child in children
        ),
    )


def _addresses(settings: RunnerSettings, ports: Mapping[str, int]) -> Addresses:
    return Addresses(
        api=http_url(settings.host, settings.port),
        nats=settings.nats_url or nats.nats_url(ports[nats.NAME]),
        mongodb=settings.mongodb_url or mongo.mongodb_url(ports[mongo.NAME]),
        backend=_backend(settings, ports),
    )


def _backend(settings: RunnerSettings, ports: Mapping[str, int]) -> str:
    if settings.backends is not None:
        return ""
    return settings.backend_url or model.model_url(ports[model.NAME])


def _context(
    settings: RunnerSettings, folder: DataFolder, ports: Mapping[str, int]
) -> tuple[ChildSpec, ...]:
    context: list[ChildSpec] = []
    if settings.nats_url is None:
        security = secure(folder, encrypted=settings.encrypt_log)
        context.append(nats.nats_child(folder, ports[nats.NAME], ports[MONITOR], security))
    if settings.mongodb_url is None:
        context.append(mongo.mongo_child(folder, ports[mongo.NAME]))
    has_room = room_to_restart(folder.path, settings.storage_reserve_bytes)
    context = [replace(child, has_room=has_room) for child in context]
    if settings.needs_local_model:
        context.append(model.model_child(folder, ports[model.NAME]))
    return tuple(context)


def _services(
    settings: RunnerSettings,
    folder: DataFolder,
    environment: Mapping[str, str],
    members: Sequence[Member],
) -> tuple[ChildSpec, ...]:
    address = (settings.host, settings.port)
    shared = settings.members[GATEWAY] > 1
    keys = {
        SEAL_KEY: environment.get(SEAL_KEY) or seal_key(folder.seal_key),
        KEY_PEPPER: environment.get(KEY_PEPPER) or seal_key(folder.key_pepper),
        VIEW_KEY: environment.get(VIEW_KEY) or seal_key(folder.view_key),
    }
    environments = {
        service: {
            **environment,
            **keys,
            **_broker_user(settings, folder, service),
            **_storage(settings, folder, service),
        }
        for service in MODULES
    }
    return tuple(
        gateway_child(each, folder, environments[GATEWAY], address, shared=shared)
        if each.service == GATEWAY
        else service_child(each, folder, environments[each.service])
        for each in members
    )


def _broker_user(settings: RunnerSettings, folder: DataFolder, name: str) -> dict[str, str]:
    """Give the seed of a service at the broker that is started here; the user sets another's."""
    return {} if settings.nats_url else {_SEED: str(folder.seed(name))}


def _storage(settings: RunnerSettings, folder: DataFolder, service: str) -> dict[str, str]:
    """Say where files lie whose disk may get full: the log, and for the store the views too."""
    own_views = settings.mongodb_url is None and service == STORE
    return {_STORAGE: str(folder.path)} if settings.nats_url is None or own_views else {}


def _environment(
    settings: RunnerSettings,
    folder: DataFolder,
    addresses: Addresses,
    environ: Mapping[str, str],
) -> dict[str, str]:
    # An empty setting is an unset one for the runner, so it must be for the services too.
    inherited = {
        name: value
        for name, value in environ.items()
        if (value or not name.startswith(PREFIX)) and (settings.nats_url or name not in _FOREIGN)
    }
    own = {
        "TURNWIRE_NATS_URL": addresses.nats,
        "TURNWIRE_MONGODB_URL": addresses.mongodb,
        # Set and empty is not unset here: it allows nothing.
        _ALLOWED: environ.get(_ALLOWED, _LOOPBACK if is_single_user(settings, folder) else ""),
    }
    if settings.nats_url is None:
        own[_OUTPUT] = environ.get(_OUTPUT) or str(OUTPUT_BYTES)
    if settings.backends is not None:
        return {**inherited, **own, "TURNWIRE_BACKENDS": str(settings.backends)}
    return {**inherited, **own, "TURNWIRE_BACKEND_URL": addresses.backend}
