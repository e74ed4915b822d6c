"""Has the oracle of `tests/chaos` compare what each client saw with the log and with the views."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct
from openai import AsyncOpenAI, NotFoundError

from chaos.oracle import Prompt, Run, SeenTurn, problems
from chaos.oracle.records import Way
from chaos.rig.log import read_log
from cluster.rig.clients import JSON, RUNNING, Seen, Tally, stored
from turnwire_chassis.broker import connect, disconnect
from turnwire_contracts.wire.frames import split

_OPEN_AFTER_S = 90.0
_LOOK_S = 1.0
_MOST_REFUSED = 0.01
_CODE = re.compile(r'"code": ?"(\w+)"')
_WAYS: Mapping[str, Way] = {"stream": "stream", "background": "background"}


class Report(Struct):
    """One run in figures."""

    seed: int
    servers_down: int
    """How often a server was killed, or restarted."""
    tally: Tally
    problems: list[str]
    """What breaks a law of the oracle, in plain words."""
    ended: list[str]
    """Services that did not live to the end."""

    @property
    def is_good(self) -> bool:
        """Whether everything is as it is with one broker that nobody kills."""
        right = not self.problems and not self.ended and not self.tally.unannounced
        return right and self.refused_share < _MOST_REFUSED

    @property
    def refused_share(self) -> float:
        """Calls that failed although they were tried again as the SDK does."""
        return len(self.tally.failed) / max(1, self.tally.calls)

    def __str__(self) -> str:
        """The figures, for people."""
        kinds = Counter(seen.kind for seen in self.tally.seen)
        codes = Counter(_code(each) for each in self.tally.refused)
        failed = Counter(each[:160] for each in self.tally.failed)
        return (
            f"seed {self.seed}: {self.servers_down} servers down, {self.tally.calls} calls, "
            f"{len(self.tally.seen)} accepted {dict(kinds)}, slowest {self.tally.slowest_s:.1f} s\n"
            f"  wrong: {self.problems or 'nothing'}\n"
            f"  5xx answers: {dict(codes)}; without Retry-After: {len(self.tally.unannounced)}\n"
            f"  failed calls: {len(self.tally.failed)} ({self.refused_share:.2%}) {dict(failed)}"
            + (f"\n  services that ended: {self.ended}" if self.ended else "")
        )


async def examine(tally: Tally, sdk: AsyncOpenAI, broker_url: str) -> list[str]:
    """Wait until every turn has ended, and let the oracle judge; gives what is wrong.

    No fault is told to it, so that no turn may fail for the sake of one.
    """
    broker = await connect(broker_url, "test")
    try:
        run = Run([_told(seen) for seen in tally.seen], log=await read_log(broker))
        until = time.monotonic() + _OPEN_AFTER_S
        for turn in run.log:
            if (answer := await _ended(sdk, turn.response_id, until)) is not None:
                run.views[turn.response_id] = answer
        run.log = await read_log(broker)
    finally:
        await disconnect(broker)
    return problems(run)


def _told(seen: Seen) -> SeenTurn:
    """What a client saw, in the words of the oracle; all clients ask the same."""
    return SeenTurn(
        Prompt(seen.response_id),
        _WAYS.get(seen.kind, "plain"),
        previous=seen.previous or "",
        response_id=seen.response_id,
        answer=seen.body,
        frames=split(seen.frames),
        done=seen.done,
    )


async def _ended(sdk: AsyncOpenAI, response_id: str, until: float) -> JSON | None:
    while True:
        try:
            answer = await stored(sdk, response_id)
        except NotFoundError:
            return None
        if answer["status"] not in RUNNING or time.monotonic() > until:
            return answer
        await asyncio.sleep(_LOOK_S)


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else text[:60]
