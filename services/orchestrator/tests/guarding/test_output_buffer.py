"""What is held back is told on unchanged, in pieces: sentences, parts and whole calls."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter
from turnwire_orchestrator.guarding.output_buffer import (
    MOST_HELD_CHARACTERS,
    HeldAssembler,
    OutputBlockedError,
    OutputBuffer,
)
from turnwire_testing.examples import RESPONSE_ID

WORD = "sesame"
FOUND = [{"category": "secret"}]

pieces = st.text(st.sampled_from("ab .!?\n。"), max_size=6)
deltas = st.lists(pieces, max_size=30)


class Shown:
    """A sample whose output is held back, and the frames that are out."""

    def __init__(self) -> None:
        """Hold everything that has not been judged."""
        self.judged: list[str] = []
        self.so_far = ""
        self.frames = FrameWriter()
        self.assembler = Assembler(RESPONSE_ID, self.frames)
        self.back = OutputBuffer(
            HeldAssembler(RESPONSE_ID, Assembler(RESPONSE_ID)), self.assembler, self._judge
        )

    async def _judge(self, text: str, so_far: str) -> list[dict[str, Any]]:
        self.judged.append(text)
        self.so_far = so_far
        return FOUND if WORD in text else []

    @property
    def text(self) -> str:
        """What clients were shown."""
        self.assembler.end_item(None, "incomplete")
        parts = [part for item in self.assembler.items for part in item.get("content", [])]
        return "".join(part["text"] for part in parts)


def tell(assembler: Assembler, texts: list[str]) -> None:
    """Tell one message."""
    assembler.add_item({"type": "message"})
    assembler.add_part("output_text")
    for text in texts:
        assembler.delta(text)


async def pass_all(shown: Shown, texts: list[str]) -> bool:
    """Tell a message, piece by piece; gives whether all of it passed."""
    held = shown.back.held
    try:
        held.add_item({"type": "message"})
        held.add_part("output_text")
        for text in texts:
            held.delta(text)
            await shown.back.pass_on()
        held.end_item()
        await shown.back.pass_on()
    except OutputBlockedError:
        return False
    return True


@given(deltas)
def test_what_passes_has_the_frames_and_cuts_of_what_nobody_judges(texts: list[str]) -> None:
    shown, free = Shown(), FrameWriter()
    assert asyncio.run(pass_all(shown, texts))
    open_ = Assembler(RESPONSE_ID, free)
    tell(open_, texts)
    open_.end_item()
    assert shown.frames.take() == free.take()
    assert (shown.assembler.items, shown.assembler.cuts) == (open_.items, open_.cuts)


@given(deltas)
def test_everything_that_is_shown_was_judged_before(texts: list[str]) -> None:
    shown = Shown()
    asyncio.run(pass_all(shown, texts))
    assert "".join(shown.so_far.split()) == "".join("".join(texts).split())
    assert all(judged.strip() in shown.so_far for judged in shown.judged)


@given(deltas, deltas, st.integers(1, len(WORD)))
def test_what_is_shown_ends_before_what_is_blocked(
    before: list[str], after: list[str], size: int
) -> None:
    cut = [WORD[at : at + size] for at in range(0, len(WORD), size)]
    shown = Shown()
    assert not asyncio.run(pass_all(shown, [*before, *cut, *after]))
    assert "".join(before).startswith(shown.text)
    assert WORD[0] not in shown.text


async def test_a_sentence_is_shown_when_the_next_one_begins() -> None:
    shown = Shown()
    tell(shown.back.held, ["One", " is", "."])
    await shown.back.pass_on()
    assert shown.judged == []
    shown.back.held.delta(" Two")
    await shown.back.pass_on()
    shown.back.held.delta(" is 3.5")
    await shown.back.pass_on()
    assert [judged.strip() for judged in shown.judged] == ["One is."]
    shown.back.held.delta("!\n")
    await shown.back.pass_on()
    assert shown.text == "One is. Two is 3.5!\n"


async def test_sentences_that_come_at_once_are_judged_one_by_one() -> None:
    shown = Shown()
    tell(shown.back.held, ["All is well. ", "The word is ", WORD, ". ", "Bye."])
    with pytest.raises(OutputBlockedError):
        await shown.back.pass_on()
    assert shown.text == "All is well. "


async def test_a_sentence_without_end_is_judged_in_pieces() -> None:
    shown = Shown()
    tell(shown.back.held, ["a" * MOST_HELD_CHARACTERS])
    await shown.back.pass_on()
    assert shown.judged == []
    shown.back.held.delta("b")
    await shown.back.pass_on()
    assert len(shown.judged) == 1


async def test_a_secret_that_spans_two_sentences_is_found() -> None:
    shown = Shown()
    held = shown.back.held
    tell(held, ["Say ses", ".\n", "x"])
    await shown.back.pass_on()
    held.end_item()
    await shown.back.pass_on()
    assert shown.judged[-1].endswith("ses.\nx\n\n") or "ses.\nx" in shown.judged[-1]


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "mcp_call"])
async def test_a_call_is_shown_when_it_is_whole_and_has_passed(kind: str) -> None:
    shown = Shown()
    held = shown.back.held
    held.add_item({"type": kind, "name": "open", "call_id": "c"})
    held.delta('{"a": "x."}\n\n')
    await shown.back.pass_on()
    assert (shown.judged, shown.frames.take()[1]) == ([], [])
    assert held.in_item == kind
    held.end_item()
    await shown.back.pass_on()
    assert "open" in shown.judged[0]
    assert '{"a": "x."}' in shown.judged[0]
    assert [item["type"] for item in shown.assembler.items] == [kind]


async def test_a_call_that_does_not_pass_is_not_shown_at_all() -> None:
    shown = Shown()
    held = shown.back.held
    held.add_item({"type": "function_call", "name": "open", "call_id": "c"})
    held.delta(f'{{"word": "{WORD}"}}')
    held.end_item()
    with pytest.raises(OutputBlockedError):
        await shown.back.pass_on()
    assert (shown.assembler.items, shown.frames.take()[1]) == ([], [])


async def test_what_says_nothing_needs_no_verdict() -> None:
    shown = Shown()
    tell(shown.back.held, [])
    await shown.back.pass_on()
    assert shown.judged == []
    assert len(shown.frames.take()[1]) == 2
