"""Watches the disk of the data folder, and restarts what can write there no more.

A broker or a database that could not write once does not try again until it is restarted, whatever
room there is by then; the same after an fsync that failed. One that recovers what it has, or is
busy, is let be: only what was ready since it started is judged, and only by the words of a write
that failed.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from turnwire_dev.components import mongo, nats
from turnwire_dev.components.members import STORE
from turnwire_dev.instance.disk import Shortage, free_in, room_to_restart
from turnwire_dev.screen import Screen
from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, ProbeResult, get
from turnwire_dev.supervision.process import ChildSpec
from turnwire_dev.supervision.reports import ChildBecameReady, Report

LOOK_EVERY_S = 0.5
ASK_EVERY_S = 1.0
ASK_WITHIN_S = 3.0
BROKER_PATIENCE_S = 2.0
"""How long a child is ill before it is restarted; at once when the disk was full a moment ago."""
DATABASE_PATIENCE_S = 20.0
"""Longer: a database that is busy says no less than one that has failed."""
ROOM_AGAIN = 1.1
"""The share of the reserve above which there is room again."""
FULL_LATELY_S = 60.0
PAUSE_S = 15.0
"""Between two restarts of one child; what is not well by then has another trouble."""

_BROKER_FAILED = ("write error",)
"""Its `/healthz` says so of a stream, a consumer or the meta layer, and never while it recovers."""
_DATABASE_FAILED = ("OperationFailure",)
"""It answers, and refuses: what is away, recovers or is slow is told by other errors."""

Ask: TypeAlias = Callable[[], Awaitable[str | None]]
"""Says why a child cannot write any more; `None`: it can, or does not answer at all."""


@dataclass(frozen=True, slots=True)
class Illness:
    """How it is found out that a child cannot write any more, and how long it may mend itself."""

    ask: Ask
    patience_s: float


@dataclass(slots=True)
class _Patient:
    """One child that may be ill: since when, and when it was restarted, in seconds of the loop."""

    illness: Illness
    ill_since: float | None = None
    restarted_at: float = float("-inf")
    was_ready: bool = False
    """Since it was started last."""


class StorageWatch:
    """Looks at one folder and the children that keep their files there, until cancelled."""

    def __init__(
        self,
        folder: Path,
        reserve: int,
        screen: Screen,
        illnesses: Mapping[str, Illness],
        restart: Callable[[str], None],
    ) -> None:
        """`illnesses` and `restart` go by the names of children."""
        self._folder = folder
        self._reserve = reserve
        self._screen = screen
        self._patients = {name: _Patient(illness) for name, illness in illnesses.items()}
        self._restart = restart
        self._may_restart = room_to_restart(folder, reserve)
        self._full_at = float("-inf")
        self._is_full = False

    def note(self, report: Report) -> None:
        """Take what a child went through: one that is not ready yet is not judged."""
        patient = self._patients.get(report.name)
        if patient is not None:
            patient.was_ready = isinstance(report, ChildBecameReady)
            patient.ill_since = None

    async def run(self, settle: Callable[[], None]) -> None:
        """Watch until cancelled; `settle` is called at each look."""
        await asyncio.gather(self._look(settle), *map(self._attend, self._patients))

    async def _look(self, settle: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            free = free_in(self._folder)
            # What hovers at the reserve is said once.
            is_full = free < self._reserve * (ROOM_AGAIN if self._is_full else 1)
            if is_full:
                self._full_at = loop.time()
            if is_full and not self._is_full:
                self._screen.storage_full(Shortage(self._folder, free, self._reserve))
            elif self._is_full and not is_full:
                self._screen.storage_has_room(self._folder, free)
            self._is_full = is_full
            settle()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _attend(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        patient = self._patients[name]
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            why = await patient.illness.ask() if patient.was_ready else None
            now = loop.time()
            if why is None or not patient.was_ready:
                patient.ill_since = None
                continue
            patient.ill_since = patient.ill_since or now
            lately_full = now - self._full_at < FULL_LATELY_S
            patience = 0.0 if lately_full else patient.illness.patience_s
            rested = now - patient.restarted_at >= PAUSE_S
            if rested and now - patient.ill_since >= patience and self._may_restart():
                patient.restarted_at = now
                self._screen.restarting(name, why)
                self._restart(name)


def illnesses(children: tuple[ChildSpec, ...]) -> dict[str, Illness]:
    """Give what is known of the broker and the database that are started here."""
    specs = {spec.name: spec for spec in children}
    known: dict[str, Illness] = {}
    if nats.NAME in specs:
        known[nats.NAME] = Illness(_of_broker(specs[nats.NAME].health), BROKER_PATIENCE_S)
    if mongo.NAME in specs and STORE in specs:
        known[mongo.NAME] = Illness(_of_database(specs[STORE].health), DATABASE_PATIENCE_S)
    return known


def _of_broker(health: str) -> Ask:
    async def ask() -> str | None:
        try:
            answer = await get(health, within=ASK_WITHIN_S)
        except NoAnswerError:
            return None
        return _failed(answer, _BROKER_FAILED, "error")

    return ask


def _of_database(store_health: str) -> Ask:
    async def ask() -> str | None:
        try:
            answer = await get(store_health, within=ASK_WITHIN_S)
        except NoAnswerError:
            return None
        return _failed(answer, _DATABASE_FAILED, "problems", "mongodb")

    return ask


def _failed(answer: ProbeResult, words: tuple[str, ...], *path: str) -> str | None:
    """Give what an answer says, if it is that something could not be written."""
    said = None if answer.status == HTTP_OK else _said(answer.body, *path)
    return said if said is not None and any(word in said for word in words) else None


def _said(body: bytes, *path: str) -> str | None:
    """Give a text of a JSON body, `None` if it has none there."""
    try:
        value: object = json.loads(body)
    except ValueError:
        return None
    for name in path:
        value = cast("dict[str, object]", value).get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
