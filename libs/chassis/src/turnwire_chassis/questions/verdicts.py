"""The guard's verdict, asked over the broker by whichever service needs it."""

from nats.aio.client import Client

from turnwire_chassis.broker import NobodyAnswersError, ask
from turnwire_contracts.events import Item
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, NeedsHistory, Verdict
from turnwire_contracts.wire.texts import texts


class NoVerdictError(Exception):
    """The guard does not answer in time, or cannot judge: nothing may pass."""


async def verdict_on(
    client: Client, items: list[Item], check_type: str, timeout_s: float
) -> Verdict:
    """Have all text of `items` judged; raises `NoVerdictError`."""
    question = AskForCheck(check_type=check_type, input="\n".join(texts(items)))
    try:
        verdict = await ask(client, GUARD_CHECK, question, timeout_s)
    except NobodyAnswersError as error:
        raise NoVerdictError(check_type) from error
    if isinstance(verdict, NeedsHistory):
        raise NoVerdictError("needs_history")
    if not isinstance(verdict, Verdict):
        raise NoVerdictError(verdict.failure.code)
    return verdict
