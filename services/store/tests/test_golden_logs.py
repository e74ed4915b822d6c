"""Golden logs: what was written once is replayed to the same views for ever."""

import msgspec
import pytest

from turnwire_contracts import codec, subjects
from turnwire_store.projecting.batches import ProjectorPorts
from turnwire_store.projecting.projector import Projector
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.verifying.comparison import projection_of
from turnwire_testing.golden_logs import FOLDER, GoldenLine, digest_of, names, read, replayed
from turnwire_testing.memory_feed import MemoryFeeds
from turnwire_testing.memory_views import MemoryGenerations

NAMES = names()


def test_every_version_of_every_event_has_a_golden_log_and_no_other_does() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(NAMES), "make golden"
    assert {path.stem for path in FOLDER.glob("*.digest")} == set(NAMES), "make golden"
    assert GoldenLine.__struct_fields__ == ("sequence", "subject", "event")


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_log_has_what_it_is_named_for(name: str) -> None:
    kind, _, version = name.rpartition(".v")
    found = {(_kind_of(entry.subject), _version_of(entry.body)) for entry in read(name)}
    assert (kind, int(version)) in found


@pytest.mark.parametrize("name", NAMES)
async def test_a_golden_log_leads_to_the_digest_that_was_written_of_it(name: str) -> None:
    entries = read(name)
    assert replayed(entries).digest == digest_of(name)

    feeds, generations = MemoryFeeds(), MemoryGenerations()
    for entry in entries:
        await feeds.append(codec.read_event(entry.subject, entry.body), None)
    ports = ProjectorPorts(feeds, feeds, generations, RecentTurns(0))
    async for behind in Projector(ports).follow(0):
        if behind == 0:
            break
    assert (await projection_of(generations.views(0))).digest == digest_of(name)


def test_another_log_has_another_digest() -> None:
    entries = read("closed.v1")
    shorter = [entries[0], *read("closed.v1")[1:]]
    assert replayed(shorter).digest == digest_of("closed.v1")
    assert replayed(entries[:1]).digest != digest_of("closed.v1")
    assert len({digest_of(name) for name in NAMES}) > 10


def _kind_of(subject: str) -> str:
    if codec.is_of_conversation(subject):
        return f"conversation.{subjects.parse_conversation_event(subject)[2]}"
    return subjects.parse_turn_event(subject)[2]


def _version_of(body: bytes) -> int:
    return msgspec.json.decode(body)["v"]
