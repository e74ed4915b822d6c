"""Asking another service: one question, one answer, and one more try where that changes nothing."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from turnwire_chassis.crash_points import reached
from turnwire_chassis.telemetry import metrics, spans
from turnwire_chassis.telemetry.correlation import correlated
from turnwire_contracts.queries import Query, Question

AnswerT = TypeVar("AnswerT")
QuestionT = TypeVar("QuestionT", bound=msgspec.Struct)

PATIENCE_S = 3.0
"""How long a question is asked again while no service answers."""

_ASK_AGAIN_S = 0.2
_LATE_AFTER_S = 5.0
_LATE_AFTER_OF_TIMEOUT = 0.4
"""An answer is late after the shorter of both: so long that one which is made slowly seldom is, so
short that one more can be made in the time that is left."""


class UnansweredQueryError(Exception):
    """A question found no service that answers, or none that did so in time."""


async def ask(
    client: Client, query: Query[QuestionT, AnswerT], question: QuestionT, timeout_s: float
) -> AnswerT:
    """Ask one member of the queue group that answers `query`; the broker chooses it.

    Raises `UnansweredQueryError` at once when there is none, or when `timeout_s` passes, and
    `msgspec.DecodeError` for an answer that cannot be read.
    """
    with spans.asking(query.subject):
        if isinstance(question, Question):
            question = correlated(question)
        reached("ask.before", query.subject)
        try:
            reply = await client.request(
                query.subject, query.encode_question(question), timeout=timeout_s
            )
        except NatsError as error:
            # No responder, no answer in time, or a question that cannot be sent.
            metrics.UNANSWERED(query.subject).inc()
            raise UnansweredQueryError(query.subject) from error
        reached("ask.after", query.subject)
    return query.decode_answer(reply.data)


async def ask_patiently(
    client: Client,
    query: Query[QuestionT, AnswerT],
    question: QuestionT,
    timeout_s: float,
    patience_s: float = PATIENCE_S,
) -> AnswerT:
    """Ask, and ask again while no service listens: one that restarts is back in seconds.

    For questions that change nothing: one whose answer is late is asked once more, as the service
    that had it may have died, and the first answer counts. Raises `UnansweredQueryError` when no
    service listened for `patience_s`, or when `timeout_s` passes.
    """
    loop = asyncio.get_running_loop()
    late_s = min(_LATE_AFTER_S, timeout_s * _LATE_AFTER_OF_TIMEOUT)
    until = (asked_at := loop.time()) + timeout_s

    async def ask_once() -> AnswerT:
        nonlocal asked_at
        away_until = loop.time() + min(patience_s, timeout_s)
        while True:
            asked_at = loop.time()
            try:
                return await ask(client, query, question, max(0.0, until - asked_at))
            except UnansweredQueryError as error:
                is_away = isinstance(error.__cause__, NoRespondersError)
                if not is_away or loop.time() + _ASK_AGAIN_S >= away_until:
                    raise
            await asyncio.sleep(_ASK_AGAIN_S)

    asking = [asyncio.create_task(ask_once())]
    try:
        while not asking[0].done() and len(asking) == 1:
            await asyncio.wait(asking, timeout=max(0.0, asked_at + late_s - loop.time()))
            if not asking[0].done() and loop.time() >= asked_at + late_s:
                asking.append(asyncio.create_task(ask_once()))
        return await (asking[0] if len(asking) == 1 else _first_answer(asking))
    finally:
        for task in asking:
            task.cancel()


async def _first_answer(asking: Sequence["asyncio.Task[AnswerT]"]) -> AnswerT:
    """Give what is answered first; raises what the last of them raises if none is."""
    unanswered: list[UnansweredQueryError] = []
    for answered in asyncio.as_completed(asking):
        try:
            return await answered
        except UnansweredQueryError as error:
            unanswered.append(error)
    raise unanswered[-1]
