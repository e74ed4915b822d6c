"""`turnwire dead list` and `turnwire dead show`."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from turnwire_chassis.administration.dead_letters import Entry, read_entry, read_letters
from turnwire_chassis.event_log import LogUnavailableError
from turnwire_chassis.redaction import without_secrets
from turnwire_contracts.administration.dead_letters import Letter
from turnwire_contracts.codec import UnreadableEventError, read_event
from turnwire_dev.commands.dead_letters.letters import NoLetterError, chosen
from turnwire_dev.commands.operator import NoBrokerError, connected
from turnwire_dev.output import failing
from turnwire_dev.screen import Screen

FAULTS: Final = (NoBrokerError, LogUnavailableError, NoLetterError)


def list_letters(screen: Screen) -> None:
    """Print all letters, oldest first."""
    with failing(screen, *FAULTS):
        letters = asyncio.run(_letters())
    if not letters:
        screen.remark("There are no dead letters.")
        return
    screen.table(
        ("letter", "time", "subject", "sequence", "reason", "retried"), list(map(_row, letters))
    )


def show_letter(number: int, screen: Screen, *, content: bool) -> None:
    """Print one letter and the entry that it is about; its content only if asked for."""
    with failing(screen, *FAULTS):
        letter, entry = asyncio.run(_letter(number))
    facts: dict[str, Any] = {
        "letter": letter.number,
        "time": letter.at.isoformat(),
        "tenant": letter.tenant,
        **msgspec.to_builtins(letter.said),
        "retried": msgspec.to_builtins(letter.retried),
        "entry": None if entry is None else _of_entry(entry),
        **({"content": _content(entry.body)} if content and entry is not None else {}),
    }
    screen.result(facts, *_lines(facts))
    if entry is not None and not content:
        screen.remark("  Its content may be what users said: --content shows it.")


async def _letters() -> Sequence[Letter]:
    async with connected() as client:
        return await read_letters(client)


async def _letter(number: int) -> tuple[Letter, Entry | None]:
    async with connected() as client:
        (letter,) = await chosen(client, [number])
        return letter, await read_entry(client, letter.said)


def _row(letter: Letter) -> tuple[str, ...]:
    said = letter.said
    retried = letter.retried.result if letter.retried else ""
    when = _short(letter.at)
    return (str(letter.number), when, said.subject, str(said.sequence), said.reason, retried)


def _short(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _of_entry(entry: Entry) -> dict[str, Any]:
    try:
        read_event(entry.subject, entry.body)
        now = "can be read by this version"
    except UnreadableEventError as error:
        now = f"cannot be read: {error}"
    return {"time": entry.at.isoformat(), "bytes": len(entry.body), "state": now}


def _lines(facts: dict[str, Any]) -> list[str]:
    entry = facts["entry"]
    lines = [f"Dead letter {facts['letter']} of {facts['time']}, tenant {facts['tenant']}"]
    lines += [f"  {name:9}{facts[name]}" for name in ("subject", "sequence", "reason", "about")]
    if facts["retried"]:
        lines.append(f"  retried  {facts['retried']['result']}")
    if entry is None:
        return [*lines, "  The entry that it is about is gone from the log."]
    lines.append(f"  entry    {entry['bytes']} bytes of {entry['time']}; it {entry['state']}")
    if "content" in facts:
        lines += msgspec.json.format(msgspec.json.encode(facts["content"])).decode().splitlines()
    return lines


def _content(body: bytes) -> Any:
    """Give what an entry says, without what looks like a secret."""
    try:
        return without_secrets(msgspec.json.decode(body))
    except msgspec.DecodeError:
        return without_secrets(body.decode(errors="replace"))
