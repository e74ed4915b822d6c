"""Files of exported logs: what they give back, what they refuse, and what they never have."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from turnwire_cli.replaying import log_file
from turnwire_cli.replaying.log_file import LogEntry, LogHeading, UnreadableLogError, owner_of
from turnwire_contracts.webhooks.subscription import WebhookSubscription
from turnwire_testing.examples import (
    CONVERSATION_ID,
    OTHER_ID,
    RESPONSE_ID,
    closed,
    conversation_created,
    deleted,
    requested,
    started,
    turn_added,
)

EVERYTHING = [
    LogEntry(3, requested(response_id=OTHER_ID, background=True)),
    LogEntry(5, started(response_id=OTHER_ID)),
    LogEntry(8, closed(response_id=OTHER_ID)),
    LogEntry(4, conversation_created()),
    LogEntry(6, turn_added()),
    LogEntry(9, deleted(response_id=OTHER_ID)),
    LogEntry(7, requested()),
]


def written(path: Path, entries: Sequence[LogEntry]) -> Path:
    """Write a file, and give its path."""
    log_file.write(path, LogHeading("tenant", ""), entries)
    return path


@pytest.mark.parametrize("owner", [OTHER_ID, CONVERSATION_ID, RESPONSE_ID])
def test_a_file_gives_back_what_was_exported_of_one_turn_or_conversation(
    owner: str, tmp_path: Path
) -> None:
    own = [each for each in EVERYTHING if owner_of(each.event) == owner]
    found = log_file.read(written(tmp_path / "log.jsonl", EVERYTHING))
    assert found.of(owner) == sorted(own, key=lambda each: each.sequence)
    assert found.owners == [OTHER_ID, CONVERSATION_ID, RESPONSE_ID]


def test_the_objects_of_conversations_are_kept_beside_the_events(tmp_path: Path) -> None:
    file, conversation = tmp_path / "log.jsonl", {"id": CONVERSATION_ID, "metadata": {"a": "b"}}
    log_file.write(file, LogHeading("conversation", CONVERSATION_ID), [conversation, EVERYTHING[6]])
    found = log_file.read(file)
    assert (found.conversations, found.entries) == ([conversation], [EVERYTHING[6]])


def test_a_file_of_events_alone_as_older_versions_wrote_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "log.jsonl", EVERYTHING)
    _, *events, _ = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(events))
    found = log_file.read(file)
    assert (found.heading, len(found.entries)) == (None, len(EVERYTHING))


@pytest.mark.parametrize(
    "line", ["{", "{}", '{"sequence":1,"subject":"dead.x.y","event":{}}', '[1,"turn.a.b.c",{}]']
)
def test_what_is_no_exported_log_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    file = written(tmp_path / "log.jsonl", EVERYTHING[:2])
    _, *events, _ = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(events) + line + "\n", encoding="utf-8")
    with pytest.raises(UnreadableLogError, match="line 3"):
        log_file.read(file)


def test_a_file_that_is_cut_off_anywhere_or_changed_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "log.jsonl", EVERYTHING)
    content = file.read_bytes()
    lines = content.splitlines(keepends=True)
    for kept in range(1, len(lines)):
        file.write_bytes(b"".join(lines[:kept]))
        with pytest.raises(UnreadableLogError, match="cut off"):
            log_file.read(file)
    file.write_bytes(content.replace(b'"sequence":5', b'"sequence":6', 1))
    with pytest.raises(UnreadableLogError, match="checksum"):
        log_file.read(file)


def test_no_file_has_credentials_or_what_limits_are_charged_by(tmp_path: Path) -> None:
    secret = requested(
        seals={"desk": "sealed!"},
        fingerprint="hash!",
        metered=["key:charged!"],
        webhook=WebhookSubscription("key!", [], "sealed!"),
    )
    content = written(tmp_path / "log.jsonl", [LogEntry(1, secret)]).read_bytes()
    assert b"!" not in content
    (found,) = log_file.read(tmp_path / "log.jsonl").entries
    assert found.event == requested()


def test_an_export_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def lines() -> Sequence[LogEntry]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        log_file.write(
            tmp_path / "log.jsonl", LogHeading("turn", RESPONSE_ID), (lines()[0] for _ in [1])
        )
    assert [*tmp_path.iterdir()] == []


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"")
    assert log_file.read(tmp_path / "log.jsonl").entries == []
