"""Logs folded again: by the same code, by another checkout's, and against what was kept."""

import shutil
from pathlib import Path

import pytest

from turnwire_cli.replaying import log_file, regressions
from turnwire_cli.replaying.folding import CannotFoldError, first_difference, folded
from turnwire_cli.replaying.log_file import LogEntry, LogHeading
from turnwire_contracts.ids import ResponseId
from turnwire_testing.examples import RESPONSE_ID, closed, purged, requested

ENTRIES = [LogEntry(7, requested()), LogEntry(8, closed())]
CONTRACTS = Path(__file__).parents[3] / "libs" / "contracts" / "src"

FORGETFUL = """

_evolve = evolve


def evolve(turn, event):
    state = _evolve(turn, event)
    if isinstance(event, Closed):
        state = msgspec.structs.replace(state, deleted=True)
    return state
"""


@pytest.fixture
def other_checkout(tmp_path: Path) -> Path:
    """Another clone, whose fold is different after the end of a turn."""
    source = tmp_path / "clone" / "libs" / "contracts" / "src"
    shutil.copytree(CONTRACTS, source, ignore=shutil.ignore_patterns("__pycache__"))
    turn = source / "turnwire_contracts" / "turn.py"
    turn.write_text(f"import msgspec\n{turn.read_text()}{FORGETFUL}")
    return tmp_path / "clone"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """An exported log."""
    log_file.write(tmp_path / "log.jsonl", LogHeading("turn", RESPONSE_ID), ENTRIES)
    return tmp_path / "log.jsonl"


def test_the_first_difference_from_another_checkout_is_found(other_checkout: Path) -> None:
    assert first_difference(folded(ENTRIES), folded(ENTRIES)) is None
    found = first_difference(folded(ENTRIES), folded(ENTRIES, other_checkout))
    assert found is not None
    assert (found.sequence, found.kind, found.path) == (8, "closed", "data.deleted")
    assert (found.here, found.there) == (None, True)


def test_what_is_no_checkout_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CannotFoldError, match="no checkout of Turnwire"):
        folded(ENTRIES, tmp_path)


def test_an_event_that_cannot_follow_is_a_state_of_its_own() -> None:
    states = folded([ENTRIES[0], ENTRIES[1], LogEntry(9, closed())])
    assert states[-1]["error"].startswith("ImpossibleEventError")


def test_a_log_that_was_kept_is_compared_with_what_it_was_folded_to(
    log: Path, tmp_path: Path
) -> None:
    place, _ = regressions.keep(log, tmp_path / "recorded")
    assert place.name == f"{RESPONSE_ID}.jsonl"
    assert [*regressions.compare(tmp_path / "recorded")] == [(place, None)]
    expected = place.with_name(f"{RESPONSE_ID}.folded.json")
    expected.write_text(expected.read_text().replace('"completed"', '"failed"'))
    ((_, found),) = regressions.compare(tmp_path / "recorded")
    assert found is not None
    assert found.path.endswith("closed.status")


def test_a_log_that_was_kept_is_never_replaced_by_another(log: Path, tmp_path: Path) -> None:
    place, _ = regressions.keep(log, tmp_path / "recorded")
    before = place.read_bytes()
    log_file.write(log, LogHeading("turn", RESPONSE_ID), [*ENTRIES, LogEntry(9, purged())])
    with pytest.raises(regressions.RegressionError, match="move it away"):
        regressions.keep(log, tmp_path / "recorded")
    assert place.read_bytes() == before


@pytest.mark.parametrize("name", ["../outside", "{}/outside", "sub/outside"])
def test_a_log_of_a_stranger_names_no_file_elsewhere(name: str, tmp_path: Path) -> None:
    named, bare = tmp_path / "named.jsonl", tmp_path / "bare.jsonl"
    log_file.write(named, LogHeading("turn", name.format(tmp_path)), ENTRIES)
    # A word of a subject has no dots.
    owner = ResponseId(name.format(tmp_path).replace(".", ""))
    log_file.write(bare, LogHeading("tenant", ""), [LogEntry(7, requested(response_id=owner))])
    bare.write_bytes(bare.read_bytes().splitlines(keepends=True)[1])
    before = sorted(tmp_path.rglob("*"))
    for log in (named, bare):
        with pytest.raises(log_file.UnreadableLogError, match="is no id"):
            regressions.keep(log, tmp_path / "recorded")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_logs_is_no_test_that_passes(tmp_path: Path) -> None:
    with pytest.raises(regressions.RegressionError, match="import --into"):
        list(regressions.compare(tmp_path))
