"""`/v1/admin/system`: members, streams, queues, the projection, and dead letters."""

import asyncio
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from nats.aio.client import Client
from nats.errors import Error as NatsError
from starlette.requests import Request
from starlette.responses import Response

from turnwire_chassis.administration.dead_letter_acts import LetterActPorts, retry_letter
from turnwire_chassis.auditing.audit_log import AuditUnavailableError
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.request_reply.asking import UnansweredQueryError, ask_patiently
from turnwire_contracts.administration.dead_letters import (
    STORE_DEAD_LETTERS,
    AskForLetters,
    Letter,
    LettersTold,
)
from turnwire_contracts.administration.deployment import (
    STORE_PROJECTION,
    STORE_STREAMS,
    TURN_QUEUES,
    AskForProjection,
    AskForQueues,
    AskForStreams,
    MemberStatus,
)
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import Query, Refusal
from turnwire_gateway.api.admin.members import members
from turnwire_gateway.api.admin_acts import actor
from turnwire_gateway.api.request_context import answered, caller
from turnwire_gateway.api.requests.paging import LARGEST_NUMBER, MOST, whole_number
from turnwire_gateway.auth.caller import require_operator
from turnwire_gateway.errors import ApiError, not_kept, unavailable

_TIMEOUT_S: Final = 5.0
_SHOWN_LETTERS: Final = 20
_MOST_DIGITS: Final = 15


QuestionT = TypeVar("QuestionT", bound=Struct)


class SystemPart(Struct, frozen=True):
    """What a service told of a part of the system, or why it did not."""

    said: JSON
    problem: str | None


class SystemHandlers:
    """The routes of the system as a whole; for operators."""

    def __init__(self, client: Client, letters: LetterActPorts) -> None:
        self._client = client
        self._letters = letters

    async def system(self, request: Request) -> Response:
        """`GET /v1/admin/system`; a part that cannot be told says why, and the others are there."""
        require_operator(caller(request), "see the system")
        found, streams, queues, projection, letters = await asyncio.gather(
            members(self._client),
            self._part(STORE_STREAMS, AskForStreams()),
            self._part(TURN_QUEUES, AskForQueues()),
            self._part(STORE_PROJECTION, AskForProjection()),
            self._part(STORE_DEAD_LETTERS, AskForLetters(limit=_SHOWN_LETTERS)),
        )
        parts = {
            "streams": streams, "queues": queues, "projection": projection, "dead_letters": letters
        }  # fmt: skip
        problems = {name: part.problem for name, part in parts.items() if part.problem}
        return answered(
            {
                "object": "admin.system",
                "members": [_member(each) for each in found],
                "streams": streams.said.get("streams", []),
                "queues": queues.said.get("queues", []),
                "projection": _projection(projection.said),
                "dead_letters": {"total": letters.said.get("total")},
                "problems": problems,
            }
        )

    async def dead_letters(self, request: Request) -> Response:
        """`GET /v1/admin/system/dead`: the oldest first."""
        require_operator(caller(request), "see dead letters")
        query = request.query_params
        after = whole_number(query, "after", 0, (0, LARGEST_NUMBER))
        limit = whole_number(query, "limit", _SHOWN_LETTERS, (1, MOST))
        answer = await self._letters_told(AskForLetters(after=after, limit=limit + 1))
        page = answer.letters[:limit]
        return answered(
            {
                "object": "list",
                "data": [_letter(each) for each in page],
                "last_sequence": page[-1].number if page else after,
                "has_more": len(answer.letters) > limit,
            }
        )

    async def retry(self, request: Request) -> Response:
        """`POST /v1/admin/system/dead/{number}/retry`: the same as `turnwire dead retry`."""
        require_operator(caller(request), "retry dead letters")
        letter = await self._chosen(request.path_params["number"])
        try:
            retried = await retry_letter(self._letters, letter, actor(request))
        except AuditUnavailableError as error:
            raise not_kept(error, "audit_log_unavailable") from error
        except UnansweredQueryError as error:
            raise unavailable("store_unavailable") from error
        except (LogUnavailableError, NatsError) as error:
            raise not_kept(error) from error
        return answered(
            {
                "object": "admin.dead_letter.retry",
                "number": letter.number,
                "about": letter.said.about,
                "result": retried.outcome.result,
                "reason": retried.outcome.reason or None,
                "delivered_again": retried.delivered_again,
            }
        )

    async def _chosen(self, given: str) -> Letter:
        plain = given.isascii() and given.isdecimal() and len(given) <= _MOST_DIGITS
        number = int(given) if plain else 0
        answer = await self._letters_told(AskForLetters(number=number))
        if not answer.letters:
            raise ApiError(failure("dead_letter_not_found", number=given[:32]))
        return answer.letters[0]

    async def _letters_told(self, question: AskForLetters) -> LettersTold:
        try:
            answer = await ask_patiently(self._client, STORE_DEAD_LETTERS, question, _TIMEOUT_S)
        except UnansweredQueryError as error:
            raise unavailable("store_unavailable") from error
        if not isinstance(answer, LettersTold):
            raise ApiError(answer.failure)
        return answer

    async def _part(self, query: Query[QuestionT, Any], question: QuestionT) -> SystemPart:
        try:
            answer = await ask_patiently(self._client, query, question, _TIMEOUT_S)
        except UnansweredQueryError:
            return SystemPart({}, f"no answer to {query.subject}")
        if isinstance(answer, Refusal):
            return SystemPart({}, answer.failure.message)
        return SystemPart(msgspec.to_builtins(answer), None)


def _member(member: MemberStatus) -> JSON:
    return {
        "service": member.service,
        "instance": member.instance,
        "version": member.version,
        "started_at": member.started // 1000,
        "status": "error" if member.problems else "ok",
        "problems": member.problems,
        "details": member.details,
    }


def _projection(status: JSON) -> JSON | None:
    if not status:
        return None
    lag = max(0, status["log_end"] - status["checkpoint"])
    about = {name: status[name] for name in ("generation", "checkpoint", "log_end")}
    return {**about, "lag": lag}


def _letter(letter: Letter) -> JSON:
    retried = letter.retried
    return {
        "object": "admin.dead_letter",
        "number": letter.number,
        "created_at": int(letter.at.timestamp()),
        "tenant": letter.tenant,
        "about": letter.said.about,
        "subject": letter.said.subject,
        "sequence": letter.said.sequence,
        "reason": letter.said.reason,
        "retried_at": retried.at // 1000 if retried else None,
        "result": retried.result if retried else None,
    }
