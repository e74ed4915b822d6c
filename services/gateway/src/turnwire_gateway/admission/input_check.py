"""The guard's checks that come before anything is stored.

Most turns are judged by their orchestrator. A background turn may wait long for one, and its client
must hear of a refusal at once; items that are put into a conversation have no turn that is judged.
"""

from collections.abc import Awaitable, Callable
from itertools import chain

import msgspec
from msgspec.structs import replace
from nats.aio.client import Client

from turnwire_chassis.request_reply.verdicts import (
    NoVerdictError,
    PriorMessages,
    input_question,
    items_question,
    verdict_on,
)
from turnwire_contracts.events import Item, Requested
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.queries import AskForCheck, Verdict
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.refusals import content_policy_failure
from turnwire_contracts.wire.texts import spoken
from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.errors import ApiError, no_verdict
from turnwire_gateway.store_client import StoreClient

Head = Callable[[], Awaitable[ResponseId | None]]
"""Gives the response behind which the content is put; called only if the guard needs it."""


class InputCheck:
    """Asks the guard about background input and about items of conversations."""

    def __init__(self, client: Client, store: StoreClient, timeout_s: float, *, on: bool) -> None:
        """`timeout_s`: how long to wait for a verdict; `on`: items of conversations are judged."""
        self._client = client
        self._store = store
        self._timeout_s = timeout_s
        self._on = on

    async def passed(self, caller: Caller, request: Requested, head: Head) -> Requested:
        """Give a request with the verdict that it may pass.

        Raises `ApiError`: 400 `content_filter`, or 503 when there is no verdict.
        """
        if not request.screen:
            return request
        question = input_question(request)
        if request.conversation is not None:
            # Its place is not settled yet.
            question = replace(question, whole=False)
        verdict = await self._verdict(caller, question, head)
        return replace(request, screened=verdict.output)

    async def items(
        self, caller: Caller, items: list[Item], application: str | None, head: Head | None = None
    ) -> None:
        """Pass items that are put into a conversation, or raise `ApiError` as `passed` does."""
        if self._on and items:
            question = items_question(items, application, whole=head is None)
            await self._verdict(caller, question, head)

    async def _verdict(self, caller: Caller, question: AskForCheck, head: Head | None) -> Verdict:
        async def earlier(turns: int) -> PriorMessages:
            newest = await head() if head is not None else None
            return await self._spoken(caller, newest, turns)

        try:
            verdict = await verdict_on(self._client, question, self._timeout_s, earlier)
        except NoVerdictError as error:
            raise no_verdict() from error
        if not verdict.safe:
            violations = [msgspec.to_builtins(violation) for violation in verdict.violations]
            raise ApiError(content_policy_failure(violations))
        return verdict

    async def _spoken(self, caller: Caller, newest: ResponseId | None, turns: int) -> PriorMessages:
        """Give what was said in the last `turns` turns, and whether that is all there was."""
        newest_first: list[list[Item]] = []
        if newest is not None:
            async for turn in self._store.history(caller.tenant, newest):
                if len(newest_first) == turns:
                    return spoken([*chain(*reversed(newest_first))]), False
                newest_first.append(_items_of(turn))
        return spoken([*chain(*reversed(newest_first))]), True


def _items_of(turn: ClosedTurn) -> list[Item]:
    items = [*turn.request.input, *turn.said]
    return [item for item in items if item.get("id") not in turn.removed]
