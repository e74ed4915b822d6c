"""Subject → handler: `guard.check` → `GuardHandlers.check`; and the lifecycle of the guard."""

import asyncio

import structlog

from turnwire_chassis.concurrency import ConcurrencyLimit
from turnwire_chassis.lifecycle.lifecycle import Lifecycle
from turnwire_chassis.lifecycle.membership import Membership
from turnwire_chassis.request_reply.responder import Responder
from turnwire_contracts import subjects
from turnwire_contracts.administration.deployment import GUARD_POLICY
from turnwire_contracts.queries import GUARD_CHECK
from turnwire_guard.handlers import GuardHandlers
from turnwire_guard.policy_answers import PolicyHandlers
from turnwire_guard.policy_file import PolicyFile
from turnwire_guard.settings import GuardSettings
from turnwire_guard.verdict_cache import VerdictCache

SERVICE = "guard"

log = structlog.get_logger()

_TO_REFUSE = 256
"""Questions beyond those that wait are taken, too: they are refused at once, not left lying."""


async def serve(settings: GuardSettings, lifecycle: Lifecycle) -> None:
    """Answer until cancelled."""
    at_once, waiting = settings.guard_max_checks, settings.guard_max_waiting
    policies = PolicyFile(settings.guard_policy, settings.policy)
    side_by_side = at_once + waiting + _TO_REFUSE
    responder = Responder(settings.nats_url, SERVICE, side_by_side, settings.broker_access)
    handlers = GuardHandlers(
        policies,
        ConcurrencyLimit(at_once, waiting),
        VerdictCache(settings.guard_cache_entries),
        settings.guard_timeout_s,
    )
    responder.respond_to(GUARD_CHECK, handlers.check)
    responder.respond_to(GUARD_POLICY, PolicyHandlers(policies).policy)
    responder.respond_beside_others(subjects.MEMBERS, Membership(SERVICE, lifecycle).answer)
    lifecycle.on_drain(responder.finish)
    try:
        async with asyncio.TaskGroup() as tasks:
            await policies.start()
            lifecycle.watch(
                {"broker": responder.reachable},
                warnings={"broker_rights": responder.refused},
                details={"policy": lambda: policies.detail},
            )
            tasks.create_task(policies.watch())
            await responder.start()
            applications = len(policies.policy.applications)
            log.info("guard answers", applications=applications, policy=policies.policy.version)
            await asyncio.Event().wait()
    finally:
        await responder.stop()
        await policies.stop()
