"""Recorded events: what a version of Turnwire once wrote is read for ever."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import fields

from turnwire_contracts.codec import decode, decode_conversation, encode
from turnwire_contracts.conversation_events import AnyConversationEvent
from turnwire_contracts.event_kinds import CONVERSATION_EVENT_KINDS, TURN_EVENT_KINDS, EventKind
from turnwire_contracts.events import AnyEvent
from turnwire_contracts.json_values import JSON

FILES = sorted((Path(__file__).parent / "golden").glob("*.json"))


class Family(NamedTuple):
    """The events of one kind of subject."""

    prefix: str
    """What its files begin with."""
    kinds: Mapping[str, EventKind[Any]]
    read: Callable[[str, bytes], AnyEvent | AnyConversationEvent]


TURNS = Family("", TURN_EVENT_KINDS, decode)
CONVERSATIONS = Family("conversation.", CONVERSATION_EVENT_KINDS, decode_conversation)


class Recording(NamedTuple):
    """One event of one version."""

    family: Family
    kind: str
    body: bytes

    @property
    def event(self) -> type[Any]:
        """The struct of its kind."""
        return self.family.kinds[self.kind].event

    @property
    def said(self) -> JSON:
        """What the body says."""
        return msgspec.json.decode(self.body)

    def read(self, body: JSON) -> AnyEvent | AnyConversationEvent:
        """Read another body of this kind."""
        return self.family.read(self.kind, msgspec.json.encode(body))


def _recording(path: Path) -> Recording:
    family = CONVERSATIONS if path.stem.startswith(CONVERSATIONS.prefix) else TURNS
    kind, _ = path.stem.removeprefix(family.prefix).split(".")
    return Recording(family, kind, path.read_bytes())


recorded = pytest.mark.parametrize(
    "recording", [_recording(path) for path in FILES], ids=[path.stem for path in FILES]
)


@recorded
def test_a_recorded_event_is_read_and_written_with_the_same_facts(recording: Recording) -> None:
    event = recording.read(recording.said)
    assert event.v == recording.family.kinds[recording.kind].version
    assert msgspec.json.decode(encode(event)) == recording.said


@recorded
def test_a_recorded_event_says_every_field_that_there_is(recording: Recording) -> None:
    assert set(recording.said) == set(recording.event.__struct_fields__)


@recorded
def test_an_event_from_before_a_field_was_added_is_read_with_its_default(
    recording: Recording,
) -> None:
    optional = [f for f in fields(recording.event) if not f.required]
    for field in optional:
        older = {name: value for name, value in recording.said.items() if name != field.name}
        factory = field.default_factory
        default = factory() if callable(factory) else field.default
        assert getattr(recording.read(older), field.name) == default


@recorded
def test_a_field_that_a_later_version_added_is_passed_over(recording: Recording) -> None:
    later = {**recording.said, "invented_later": {"a": 1}}
    assert recording.read(later) == recording.read(recording.said)


@pytest.mark.parametrize("family", [TURNS, CONVERSATIONS], ids=["turns", "conversations"])
def test_every_version_of_every_event_is_recorded(family: Family) -> None:
    versions = {
        f"{family.prefix}{kind}.v{v}"
        for kind, row in family.kinds.items()
        for v in range(1, row.version + 1)
    }
    there = {path.stem for path in FILES if _recording(path).family is family}
    assert there == versions
