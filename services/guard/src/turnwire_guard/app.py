"""Subject → handler: `guard.check` → `Handlers.check`; and how the guard comes and goes."""

import asyncio

import structlog

from turnwire_chassis.health import HealthServer
from turnwire_chassis.questions.answering import Answering
from turnwire_contracts.queries import GUARD_CHECK
from turnwire_guard.handlers import Handlers
from turnwire_guard.settings import GuardSettings

SERVICE = "guard"

log = structlog.get_logger()

_CHECKS_AT_ONCE = 64


async def serve(settings: GuardSettings) -> None:
    """Answer until cancelled."""
    answering = Answering(settings.nats_url, SERVICE, _CHECKS_AT_ONCE, settings.broker_access)
    answering.to(GUARD_CHECK, Handlers(settings.policy).check)
    checks = {"broker": answering.reachable}
    health = HealthServer(settings.health_host, settings.health_port, checks)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(health.run())
            await answering.start()
            log.info("guard answers", applications=len(settings.policy.applications))
    finally:
        await answering.stop()
