"""The routes below `/v1/admin/`: route → handler, and what the handlers need."""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from nats.aio.client import Client
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.dead_letter_acts import LetterActPorts
from turnwire_chassis.administration.key_acts import KeyActPorts
from turnwire_chassis.auditing.audit_log import AuditLog
from turnwire_gateway.api.admin.audit import AuditHandlers
from turnwire_gateway.api.admin.erasures import ErasurePorts, ErasureRoutes
from turnwire_gateway.api.admin.keys import KeyHandlers, KeyPorts
from turnwire_gateway.api.admin.limits import LimitHandlers, LimitPorts
from turnwire_gateway.api.admin.parts import PartHandlers
from turnwire_gateway.api.admin.system import SystemHandlers
from turnwire_gateway.api.admin_acts import AdminActs
from turnwire_gateway.api.guard_check import CheckHandlers
from turnwire_gateway.auth.key_records import StoreKeyRecords
from turnwire_gateway.limits.limiter import Limiter
from turnwire_gateway.openapi.admin import admin_operations as administration
from turnwire_gateway.openapi.operation import Operation

Handler = Callable[[Request], Awaitable[Response]]
"""Serves the requests to one route."""


class AdminDependencies(Struct, frozen=True):
    """What the routes of administration need."""

    client: Client
    audit: AuditLog
    limiter: Limiter
    now_ms: Callable[[], int]
    pepper: bytes
    take_up_keys: Callable[[], Awaitable[None]]
    largest_body: int


def admin_routes(
    world: AdminDependencies, acts: AdminActs, checks: CheckHandlers
) -> tuple[tuple[Operation, Handler], ...]:
    """Say which handler serves which declared route."""
    records = StoreKeyRecords(world.client)
    acting = KeyActPorts(records, world.audit)
    keys = KeyHandlers(
        KeyPorts(acting, acts, world.pepper, world.take_up_keys, world.largest_body, world.now_ms)
    )
    limits = LimitHandlers(LimitPorts(world.limiter, records, world.now_ms))
    letters = LetterActPorts(world.client, world.audit, world.now_ms)
    erasures = ErasureRoutes(
        ErasurePorts(world.client, world.audit, acts, records, world.largest_body, world.now_ms)
    )
    system = SystemHandlers(world.client, letters)
    parts = PartHandlers(world.client, acts, checks)
    return (
        (administration.list_api_keys, keys.list_keys),
        (administration.create_api_key, keys.create),
        (administration.revoke_api_key, keys.revoke),
        (administration.list_limits, limits.list_limits),
        (administration.list_audit_events, AuditHandlers(world.client, acts).list_acts),
        (administration.list_erasures, erasures.list_all),
        (administration.create_erasure, erasures.create),
        (administration.retrieve_erasure, erasures.retrieve),
        (administration.read_system, system.system),
        (administration.list_dead_letters, system.dead_letters),
        (administration.retry_dead_letter, system.retry),
        (administration.read_guard_policy, parts.guard),
        (administration.test_guard_policy, parts.try_guard),
        (administration.list_tool_servers, parts.tool_servers),
        (administration.list_backends, parts.backends),
    )
