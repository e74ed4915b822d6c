"""What becomes of each event: sent, tried again later, or kept as a dead letter."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
import structlog
from msgspec import Struct

from turnwire_chassis.concurrency import FullError, KeyedConcurrencyLimit
from turnwire_chassis.crash_points import reached
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.jetstream.delivery import Delivery, PostponedError
from turnwire_chassis.telemetry import metrics
from turnwire_contracts import subjects
from turnwire_contracts.administration.dead_letters import DeadLetter
from turnwire_contracts.webhooks.delivery import WebhookDelivery
from turnwire_tool_runner.webhooks.receivers import Receiver, UnknownReceiverError
from turnwire_tool_runner.webhooks.retrying import Attempt, busy_s, next_attempt_s

log = structlog.get_logger()

_UNKNOWN_AGAIN_S: Final = 5.0


class WebhookRules(Struct, frozen=True):
    """What the operator decided."""

    give_up_s: float
    """Seconds after which the last attempt is made."""
    at_once: int
    """Events that are sent side by side by this process."""
    per_tenant: int
    per_host: int


class FindReceiver(Protocol):
    """Tells where events go."""

    async def of(self, delivery: WebhookDelivery) -> Receiver | None:
        """See `Receivers.of`."""
        ...


class Sender(Protocol):
    """Sends events."""

    def host_of(self, receiver: Receiver) -> str:
        """See `WebhookSender.host_of`."""
        ...

    async def send(self, delivery: WebhookDelivery, receiver: Receiver) -> Attempt:
        """See `WebhookSender.send`."""
        ...


class DelivererPorts(Struct, frozen=True):
    """What delivering touches."""

    receivers: FindReceiver
    sender: Sender
    bury: Callable[[DeadLetter, int], Awaitable[None]]
    """Keeps a dead letter of the message at a place of `WEBHOOKS`; raises `LogUnavailableError`."""


class WebhookDeliverer:
    """Handles what the inbox of webhooks hands out."""

    def __init__(self, ports: DelivererPorts, rules: WebhookRules) -> None:
        self._ports = ports
        self._rules = rules
        # Nothing waits here: a place that waits for a slow host would be one that others lack.
        self._tenants = KeyedConcurrencyLimit(rules.per_tenant, 0)
        self._hosts = KeyedConcurrencyLimit(rules.per_host, 0)

    async def deliver(self, given: Delivery) -> None:
        """Send an event; returns when its receiver has it, or it is a dead letter.

        Raises `PostponedError`. What a process that dies had sent is sent again, with the same id.
        """
        try:
            delivery = WebhookDelivery.decode(given.body)
        except msgspec.MsgspecError:
            # A newer version has written it: one of that version delivers it.
            log.exception("webhook event cannot be read", subject=given.subject)
            raise PostponedError(_UNKNOWN_AGAIN_S) from None
        age_s = max(0.0, _now() - given.published)
        try:
            attempt = await self._attempt(delivery)
        except FullError:
            raise PostponedError(busy_s(age_s, _chance())) from None
        except LogUnavailableError:
            raise PostponedError(_UNKNOWN_AGAIN_S) from None
        if attempt is None:
            _note(delivery, "dropped", "its API key has no webhook any more", given)
            return
        if attempt.result == "delivered":
            _note(delivery, "delivered", attempt.reason, given)
            return
        delay_s = next_attempt_s(attempt, age_s, self._rules.give_up_s, _chance())
        if delay_s is not None:
            _note(delivery, "postponed", attempt.reason, given)
            raise PostponedError(delay_s)
        await self._bury(delivery, attempt.reason, given)

    async def _attempt(self, delivery: WebhookDelivery) -> Attempt | None:
        """Try once; `None`: it has no receiver any more. Raises `FullError`."""
        async with self._tenants.slot(delivery.tenant):
            try:
                receiver = await self._ports.receivers.of(delivery)
            except UnknownReceiverError as error:
                return Attempt("unreachable" if error.may_change else "forbidden", str(error))
            if receiver is None:
                return None
            sender = self._ports.sender
            async with self._hosts.slot(sender.host_of(receiver)):
                began = _now()
                reached("post.before", delivery.type)
                attempt = await sender.send(delivery, receiver)
                reached("post.after", delivery.type)
                metrics.WEBHOOK_ATTEMPTS().observe(_now() - began)
                return attempt

    async def _bury(self, delivery: WebhookDelivery, reason: str, given: Delivery) -> None:
        subject = subjects.turn_event(delivery.tenant, delivery.response_id, "closed")
        why = f"webhook not delivered: {reason}"
        letter = DeadLetter(subject, delivery.closed, why, delivery.response_id, delivery)
        try:
            await self._ports.bury(letter, given.sequence)
        except LogUnavailableError:
            raise PostponedError(_UNKNOWN_AGAIN_S) from None
        _note(delivery, "dead", reason, given)


def _note(delivery: WebhookDelivery, outcome: str, reason: str, given: Delivery) -> None:
    metrics.WEBHOOKS(outcome).inc()
    say = log.warning if outcome == "dead" else log.info
    say(
        "webhook",
        outcome=outcome,
        reason=reason,
        event_id=delivery.event_id,
        type=delivery.type,
        response_id=delivery.response_id,
        attempt=given.attempt,
    )


def _chance() -> float:
    return random.random()  # noqa: S311  # nosec B311 -- it spreads attempts, and hides nothing


def _now() -> float:
    return asyncio.get_running_loop().time()
