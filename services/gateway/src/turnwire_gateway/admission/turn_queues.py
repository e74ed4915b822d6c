"""Which queue a tenant's next turn waits in, and whether it would wait too long there."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from turnwire_chassis.telemetry.metrics import LIMIT_REFUSALS
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.events import Requested
from turnwire_contracts.ids import TenantId
from turnwire_contracts.notices.queue_state import LevelState, QueueState
from turnwire_contracts.queues import LEVELS, level_of
from turnwire_gateway.errors import ApiError

_HALF_LIFE_MS: Final = 300_000
"""A gateway does not hear when a background turn begins, so their number fades."""
_FADED: Final = 0.5
_HEARD_MS: Final = 3_000
"""An orchestrator with waiting turns that is silent for longer is gone."""
_FREE_MS: Final = 8_000
"""One with free places tells so every five seconds."""
_SHORTEST_RETRY_S: Final = 1
_LONGEST_RETRY_S: Final = 30


def _monotonic_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)


class _Faded(Struct):
    """A number that halves with time."""

    number: float
    at: int

    def now(self, now: int) -> float:
        return self.number * 0.5 ** ((now - self.at) / _HALF_LIFE_MS)


class TurnQueues:
    """Counts what this gateway has on its way for each tenant, and hears how turns wait."""

    def __init__(self, max_queue_s: float, now_ms: Callable[[], int] = _monotonic_ms) -> None:
        """`now_ms`: a monotonic clock in milliseconds; a wall clock may jump."""
        self._max_queue_s = max_queue_s
        self._now_ms = now_ms
        self._waiting: dict[object, TenantId] = {}
        self._foreground: Counter[TenantId] = Counter()
        self._background: dict[TenantId, _Faded] = {}
        self._states: dict[str, tuple[QueueState, int]] = {}
        self._sent = [0] * LEVELS
        """Turns that were sent since the last state was heard, and may not stand in it."""

    def enter(self, waiting: object, tenant: TenantId) -> None:
        """Count a new foreground turn; `waiting`: what waits for it here."""
        self._waiting[waiting] = tenant
        self._foreground[tenant] += 1

    def leave(self, waiting: object) -> None:
        """Count its turn no longer; what was not counted, such as a mere reader, is none."""
        tenant = self._waiting.pop(waiting, None)
        if tenant is None:
            return
        self._foreground[tenant] -= 1
        if not self._foreground[tenant]:
            del self._foreground[tenant]

    def place(self, request: Requested) -> int:
        """Give the level of the queue that a turn waits in, as it is sent there.

        A foreground turn was let through by `check` and counted by `enter` before.
        """
        if request.background:
            return self._place_background(request.tenant)
        level = level_of(self._foreground[request.tenant])
        if self._states:
            self._sent[level] += 1
        return level

    def hear(self, state: QueueState) -> None:
        """Take note of how an orchestrator's turns wait."""
        if len(state.levels) != LEVELS:
            return
        if state.free or any(level.waiting or level.held for level in state.levels):
            self._states[state.orchestrator] = (state, self._now_ms())
        else:
            self._states.pop(state.orchestrator, None)
        self._sent = [0] * LEVELS

    def check(self, tenant: TenantId) -> None:
        """Raise `ApiError` (503) if one more foreground turn would wait too long; no I/O.

        To be called before anything is written for the turn, such as its place in a conversation.
        """
        self._forget_silent()
        states = [state for state, _ in self._states.values()]
        if not states or any(state.free for state in states):
            return
        wait_s = self._wait_s(states, self._foreground[tenant])
        if wait_s > self._max_queue_s:
            LIMIT_REFUSALS("queue_time").inc()
            raise overloaded(self._max_queue_s, wait_s)

    def _place_background(self, tenant: TenantId) -> int:
        now = self._now_ms()
        faded = self._background.get(tenant)
        number = faded.now(now) if faded is not None else 0.0
        if faded is None:
            self._forget_faded(now)
        self._background[tenant] = _Faded(number + 1, now)
        return level_of(int(number))

    def _forget_faded(self, now: int) -> None:
        """Forget tenants that have sent nothing for long; only as new ones come."""
        faded = [each for each, of in self._background.items() if of.now(now) < _FADED]
        for tenant in faded:
            del self._background[tenant]

    def _wait_s(self, states: list[QueueState], turns: int) -> float:
        """Guess how long the next turn of a tenant would wait, by how fast turns begin."""
        level = level_of(turns + 1)
        levels = [_together([state.levels[each] for state in states]) for each in range(LEVELS)]
        own = levels[level]
        starts_per_s = sum(each.starts_per_s for each in levels)
        given_out_first = own.waiting + self._sent[level]
        before = given_out_first + own.held
        if not turns and starts_per_s:
            # Of what is held it is the next, as the tenant with the fewest: each other tenant is
            # before it once at most, and it has its place from any level's turn that ends.
            return min(before, given_out_first + 1 + len(self._foreground)) / starts_per_s
        # A level with little to do begins little: it has its share of all, should it want more.
        backlogged = 1 + sum(bool(each.waiting or each.held) for each in levels if each is not own)
        rate = max(own.starts_per_s, starts_per_s / backlogged)
        return max(before / rate if rate else 0.0, own.oldest_s)

    def _forget_silent(self) -> None:
        now = self._now_ms()
        for orchestrator, (state, received_ms) in list(self._states.items()):
            if now - received_ms > (_FREE_MS if state.free else _HEARD_MS):
                del self._states[orchestrator]


def _together(states: list[LevelState]) -> LevelState:
    """Add up what orchestrators tell of one level; what waits in the stream all of them see."""
    return LevelState(
        waiting=max((each.waiting for each in states), default=0),
        held=sum(each.held for each in states),
        oldest_s=max((each.oldest_s for each in states), default=0.0),
        starts_per_s=sum(each.starts_per_s for each in states),
    )


def overloaded(max_queue_s: float, wait_s: float) -> ApiError:
    """A turn would wait longer than turns may (HTTP 503); nothing was done."""
    retry_s = math.ceil(wait_s - max_queue_s)
    retry_s = min(_LONGEST_RETRY_S, max(_SHORTEST_RETRY_S, retry_s))
    return ApiError(failure("overloaded", seconds=max_queue_s), retry_after_s=retry_s)
