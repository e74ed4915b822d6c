"""The policy file while the guard runs: a change is taken between two checks."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from turnwire_chassis.lifecycle.followed_file import POLL_S, FileKind, FollowedFile, NotTakenError
from turnwire_guard.pipeline import ProviderError, Stage
from turnwire_guard.policy import GuardPolicy, parse_policy

log = structlog.get_logger()

SETTING = "TURNWIRE_GUARD_POLICY"


@dataclass(slots=True)
class _InForce:
    """A policy whose providers have started, and how many checks use it."""

    policy: GuardPolicy
    users: int = 0
    unused: asyncio.Event = field(default_factory=asyncio.Event)


class PolicyFile:
    """The newest valid policy of the file, from `start` to `stop`."""

    def __init__(self, path: Path | None, first: GuardPolicy, poll_s: float = POLL_S) -> None:
        """`first`: the policy that was read with the settings; the file is read each `poll_s`."""
        self._file = FollowedFile(
            FileKind("policy", SETTING, parse_policy), path, self._take, poll_s
        )
        self._current = _InForce(first)
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def policy(self) -> GuardPolicy:
        """The policy in force."""
        return self._current.policy

    @property
    def detail(self) -> str:
        """Say which policy is in force, and what is wrong with the file if it is ignored."""
        holds = f"version {self.policy.version}"
        return holds if self.problem is None else f"{holds}; the file is ignored: {self.problem}"

    @property
    def problem(self) -> str | None:
        """Why the file is ignored; `None`: it is not."""
        return self._file.problem

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[GuardPolicy]:
        """Use the policy; its providers stay until the last user is done."""
        used = self._current
        used.users += 1
        try:
            yield used.policy
        finally:
            used.users -= 1
            if not used.users:
                used.unused.set()

    async def start(self) -> None:
        """Start the providers. Raises ProviderError."""
        await _start(self.policy)

    async def watch(self) -> None:
        """Follow the file until cancelled."""
        await self._file.watch()

    async def look(self) -> None:
        """Read the file, and put its policy into force if it is new and valid."""
        await self._file.look()

    async def stop(self) -> None:
        """Stop the providers."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await _stop(_enabled(self.policy))

    async def _take(self, policy: GuardPolicy) -> None:
        if policy.version == self.policy.version:
            return
        try:
            await _start(policy)
        except ProviderError as error:
            raise NotTakenError(str(error)) from error
        retired, self._current = self._current, _InForce(policy)
        log.info("policy changed", version=policy.version, before=retired.policy.version)
        self._retire(retired)

    def _retire(self, retired: _InForce) -> None:
        if not retired.users:
            retired.unused.set()
        task = asyncio.create_task(_stop_when_unused(retired))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)


async def _stop_when_unused(retired: _InForce) -> None:
    # The last user before the change has set the event, too: the count decides.
    while retired.users:
        retired.unused.clear()
        await retired.unused.wait()
    await _stop(_enabled(retired.policy))


async def _start(policy: GuardPolicy) -> None:
    started: list[Stage] = []
    try:
        for stage in _enabled(policy):
            await stage.provider.start()
            started.append(stage)
    except ProviderError:
        await _stop(started)
        raise


async def _stop(stages: Iterable[Stage]) -> None:
    for stage in stages:
        await stage.provider.stop()


def _enabled(policy: GuardPolicy) -> Iterable[Stage]:
    return (stage for _, _, stage in policy.stages() if stage.enabled)
