"""Erasing all of a tenant or a user, step by step until nothing is left: by command and by HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_contracts.queries import AskForErasure, ErasureStep

_WITHIN_S: Final = 60.0
_AGAIN_S: Final = 0.5

ErasedKind = Literal["turns", "conversations"]

Step = Callable[[AskForErasure], Awaitable[ErasureStep]]
"""Does one step of the store's."""

Tell = Callable[[ErasedKind, int], None]
"""Is told how many were purged so far."""


class ErasureUnfinishedError(Exception):
    """It is not all gone; the text says why, and doing it again is fine."""


def _say_nothing(kind: ErasedKind, purged: int) -> None:
    del kind, purged


class TenantEraser:
    """Goes through the log until nothing is left and nothing runs."""

    def __init__(
        self, step: Step, tenant: TenantId, owner: OwnerId | None, tell: Tell = _say_nothing
    ) -> None:
        """`owner`: only what this user made."""
        self._step = step
        self._tenant = tenant
        self._owner = owner
        self._tell = tell

    async def run(self) -> tuple[int, int]:
        """Give how many turns and conversations were purged by this run.

        Raises `ErasureUnfinishedError` if something is left after a minute of waiting, and what the
        step raises. Beginning again finds what is left.
        """
        return await self._turns(), await self._conversations()

    async def _turns(self) -> int:
        """Purge all turns; those that run are cancelled and come next time round."""
        loop = asyncio.get_running_loop()
        total, until = 0, loop.time() + _WITHIN_S
        while True:
            purged, running, _ = await self._through("turns", total)
            total += purged
            if not running:
                return total
            if loop.time() > until:
                raise ErasureUnfinishedError(
                    f"{running} turns do not end although they are cancelled."
                )
            await asyncio.sleep(_AGAIN_S)

    async def _conversations(self) -> int:
        """Purge all conversations, then wait until nothing of anything is left."""
        loop = asyncio.get_running_loop()
        total, until = 0, loop.time() + _WITHIN_S
        while True:
            purged, _, gone = await self._through("conversations", total)
            total += purged
            if gone:
                return total
            if loop.time() > until:
                raise ErasureUnfinishedError("The store has not erased all of it yet.")

    async def _through(self, of: ErasedKind, so_far: int) -> tuple[int, int, bool]:
        """Go through the log once; gives what was purged, what runs, and whether all is gone."""
        purged = running = after = 0
        while True:
            step = await self._step(AskForErasure(self._tenant, self._owner, of, after))
            purged, running = purged + step.purged, running + step.running
            if step.after is None:
                return purged, running, step.gone
            after = step.after
            if step.purged:
                self._tell(of, so_far + purged)
