"""A compaction item gives back its summary, or says that it was not ours or not left alone."""

import zlib
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.events import AnyEvent, Item, TurnUsage
from turnwire_contracts.turn import fold
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.compaction import compaction_item, compaction_object, summary_of
from turnwire_testing.examples import RESPONSE_ID, closed, requested
from turnwire_testing.open_responses import problems_of_compaction
from turnwire_testing.openai_types import check_compaction

summaries = st.text(st.characters(exclude_categories=("Cs",)), max_size=80)
MIB = 1024 * 1024


def with_content(content: object) -> Item:
    """Give an item as a client may send it."""
    return {"id": "cmp_1", "type": "compaction", "encrypted_content": content}


def content_of(summary: str) -> str:
    """Give what stands in the item for this summary."""
    return compaction_item(RESPONSE_ID, summary)["encrypted_content"]


@given(summaries)
def test_a_summary_is_read_as_it_was_written(summary: str) -> None:
    assert summary_of(compaction_item(RESPONSE_ID, summary)) == summary


@given(summaries)
def test_a_summary_is_read_from_what_a_client_sends_back(summary: str) -> None:
    assert summary_of({"type": "compaction", "encrypted_content": content_of(summary)}) == summary


@pytest.mark.parametrize("content", [None, "", "gAAAAABpM0Yj-abc=", 7, ["twc1."], {}])
def test_an_item_of_another_server_has_no_summary_for_us(content: object) -> None:
    assert summary_of(with_content(content)) is None


def test_an_item_without_content_has_no_summary_for_us() -> None:
    assert summary_of({"type": "compaction"}) is None


@given(summaries, st.data())
def test_an_item_that_was_cut_is_refused(summary: str, data: st.DataObject) -> None:
    content = content_of(summary)
    place = data.draw(st.integers(len("twc1."), len(content) - 1))
    with pytest.raises(ValueError, match="compaction"):
        summary_of(with_content(content[:place]))


@given(summaries, st.data())
def test_an_item_that_was_changed_never_tells_another_summary(
    summary: str, data: st.DataObject
) -> None:
    content = content_of(summary)
    place = data.draw(st.integers(len("twc1."), len(content) - 1))
    letter = data.draw(st.characters(exclude_characters=content[place]))
    try:
        told = summary_of(with_content(content[:place] + letter + content[place + 1 :]))
    except ValueError:
        return
    # The last letter of base64 holds bits that mean nothing.
    assert told == summary


@pytest.mark.parametrize("rest", ["", "!", "AAAA", "é", "====", "\n"])
def test_what_only_begins_like_an_item_of_ours_is_refused(rest: str) -> None:
    with pytest.raises(ValueError, match="compaction"):
        summary_of(with_content(f"twc1.{rest}"))


def test_bytes_that_are_no_text_are_refused() -> None:
    packed = urlsafe_b64encode(zlib.compress(b"\xff\xfe")).decode()
    with pytest.raises(ValueError, match="not a compaction of this server"):
        summary_of(with_content(f"twc1.{packed}"))


def test_a_long_summary_is_kept_whole_and_a_flood_is_refused() -> None:
    long = "word " * (MIB // 5)
    assert summary_of(compaction_item(RESPONSE_ID, long)) == long
    packed = urlsafe_b64encode(zlib.compress(b"0" * 64 * MIB)).decode()
    assert len(packed) < MIB
    with pytest.raises(ValueError, match="longer than 4 MiB"):
        summary_of(with_content(f"twc1.{packed}"))


@pytest.mark.parametrize("usage", [None, TurnUsage(input_tokens=139, output_tokens=438)])
def test_the_answer_to_compacting_is_valid_for_both_specifications(usage: TurnUsage | None) -> None:
    item = compaction_item(RESPONSE_ID, "The user is called Ada.")
    compacted = compaction_object(
        ended([requested(compact=True), closed(output=[item], usage=usage)])
    )
    check_compaction(compacted)
    assert problems_of_compaction(compacted) == []
    assert compacted["object"] == "response.compaction"
    assert compacted["output"] == [item]
    assert item["id"].startswith("cmp_")


def ended(events: list[AnyEvent]) -> ClosedTurn:
    """Fold the events of a turn that has ended."""
    turn = fold(events)
    assert isinstance(turn, ClosedTurn)
    return turn
