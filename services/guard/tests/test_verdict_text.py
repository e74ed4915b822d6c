"""What models write when they are asked for `safe` or `unsafe`: read, or an error, never passed."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.queries import AskForCheck, Verdict
from turnwire_guard.pipeline import (
    NeverAllowedError,
    OnError,
    ProviderError,
    Stage,
    StageFailedError,
    evaluate,
)
from turnwire_guard.providers.llama_guard.options import Options
from turnwire_guard.providers.llama_guard.provider import LlamaGuardProvider
from turnwire_guard.providers.llama_guard.verdict_text import read_verdict, says_unsafe
from turnwire_testing.llama_guard import llama_guard


def wide(text: str) -> str:
    """In the letters that stand among Chinese ones."""
    return "".join(chr(ord(each) + 0xFEE0) if each.isalnum() else each for each in text)


UNSAFE: dict[str, list[str]] = {
    "unsafe\nS1": ["S1"],
    "unsafe S1": ["S1"],
    "unsafe: S1": ["S1"],
    "unsafe,S1": ["S1"],
    "unsafe;S1;S2": ["S1", "S2"],
    "Unsafe\nS1 S10": ["S1", "S10"],
    "UNSAFE - s1": ["S1"],
    "**unsafe**\nS1": ["S1"],
    "__unsafe__ (S1)": ["S1"],
    "# unsafe\n- S1\n- S2": ["S1", "S2"],
    '"unsafe\nS1"': ["S1"],
    '"unsafe\\nS1"': ["S1"],
    "'unsafe', 'S1'": ["S1"],
    "`unsafe` S01": ["S1"],
    "```\nunsafe\nS1\n```": ["S1"],
    "```text\nunsafe\nS1```": ["S1"],
    "```unsafe```": [],
    "\n\n\tunsafe\r\nS1\r\n": ["S1"],
    "unsafe\nS1: Violent Crimes\nS10: Hate.": ["S1", "S10"],
    "unsafe": [],
    "unsafe.": [],
    "unsafe!": [],
    "unsafe<|eot_id|>": [],
    "unsafe\nS1<|eot_id|>": ["S1"],
    "<|start_header_id|>assistant<|end_header_id|>\n\nunsafe\nS2<|eot_id|>": ["S2"],
    "<s> unsafe\nS1</s>": ["S1"],
    "<verdict>unsafe</verdict><code>S1</code>": ["S1"],
    "<unsafe>S1</unsafe>": ["S1"],
    "unsafe\nS99": ["S99"],
    "unsafe\nsafe": [],
    wide("unsafe\nS1"): ["S1"],
    "<think>It is safe to say so.</think>\nunsafe\nS1": ["S1"],
    "<think>\n\n</think>\n\nunsafe": [],
    "It seems safe. S3?</think>unsafe\nS1": ["S1"],
    "[THINK]safe[/THINK]unsafe S1": ["S1"],
    "<THINKING>a</THINKING><reasoning>b</reasoning>unsafe": [],
}
SAFE = [
    "safe", "Safe\n", "SAFE", "safe.", "safe!", "**safe**", "**Safe.**", '"safe"', "'safe'",
    "`safe`", "```\nsafe\n```", "```safe```", "\n\nsafe", "\t safe \r\n", "safe<|eot_id|>",
    "safe<|end_of_text|>\n", "safe</s>", "<safe>", "<verdict>safe</verdict>", "safe\nNone",
    "safe\n\nsafe", "<|im_start|>assistant\nsafe<|im_end|>",
    "<|start_header_id|>assistant<|end_header_id|>\n\nsafe",
    "<think>Is it unsafe? S1? No.</think>safe", "It is not unsafe.</think>\n\nsafe",
    wide("safe"),
]  # fmt: skip
SPEAKS_OF_UNSAFE = [
    "is unsafe", "The text is UNSAFE.", "Verdict: unsafe\nS1", "safe\nunsafe", "safe, not unsafe",
    "safe<|eot_id|>unsafe", "unsafely said", "unsafeS1", "un-safe", "un safe", "**un**safe",
    "un<b>safe</b>", "U.N.S.A.F.E.", "u\u200bnsafe", "not safe", "It isn't safe.",
    '{"safe": false}', "S1 unsafe", "assistant: unsafe",
    '{"verdict":"unsafe","categories":["S1"]}', '```json\n{"verdict": "Unsafe"}\n```',
    "<think>It is unsafe", "<think>a</think>I think it is unsafe.",
    "I cannot say whether that is unsafe.",
]  # fmt: skip
UNREADABLE = [
    "", " \n", "S1", "safe\nS1", "safety first", "Safe handling of explosives is simple: first …",
    "The text is safe.", "I cannot help with that.", "I'm sorry, but no.", "yes", "…", "<think>Hm",
    "<think>safe", '{"verdict": "safe"}', "<|eot_id|>",
]  # fmt: skip
ANYTHING = st.text(st.sampled_from("unsafeUNSAFE*_`\"'<>|/ \n.,:;-#[]{}S1\u200b"), max_size=30)


@pytest.mark.parametrize(("text", "codes"), UNSAFE.items())
def test_unsafe_is_read_with_its_codes_in_any_dress(text: str, codes: list[str]) -> None:
    verdict = read_verdict(text)
    assert verdict is not None
    assert (verdict.safe, list(verdict.codes)) == (False, codes)


@pytest.mark.parametrize("text", SAFE)
def test_safe_is_read_in_any_dress(text: str) -> None:
    verdict = read_verdict(text)
    assert verdict is not None
    assert verdict.safe


@pytest.mark.parametrize("text", SPEAKS_OF_UNSAFE + UNREADABLE)
def test_whatever_else_is_no_verdict(text: str) -> None:
    assert read_verdict(text) is None
    assert says_unsafe(text) == (text in SPEAKS_OF_UNSAFE)


@given(ANYTHING, ANYTHING)
def test_what_says_unsafe_without_a_thought_is_never_read_as_safe(before: str, after: str) -> None:
    verdict = read_verdict(f"{before}unsafe{after}")
    assert verdict is None or not verdict.safe
    assert says_unsafe(f"{before}unsafe{after}")


def completion(**message: Any) -> bytes:
    return msgspec.json.encode({"choices": [{"message": {"role": "assistant", **message}}]})


async def judged(body: bytes, on_error: OnError, status: int = 200, **options: Any) -> Verdict:
    """Have a stage judge with a server that answers so; raises `StageFailedError`."""
    async with llama_guard() as stub:
        stub.body, stub.status = body, status
        given = replace(Options(base_url=stub.url, model="m", variant="3-8b"), **options)
        provider = LlamaGuardProvider(given)
        await provider.start()
        stage = Stage("safety", "llama-guard-3", provider, on_error=on_error)
        try:
            return (await evaluate((stage,), AskForCheck("input", "hello"))).verdict
        finally:
            await provider.stop()


@pytest.mark.parametrize("on_error", ["allow", "block"])
async def test_a_verdict_holds_whatever_on_error_says(on_error: OnError) -> None:
    for text, codes in UNSAFE.items():
        verdict = await judged(completion(content=text), on_error)
        assert [each.category for each in verdict.violations] == (codes or ["unsafe"])
    for text in SAFE:
        assert (await judged(completion(content=text), on_error)).safe


@pytest.mark.parametrize("text", UNREADABLE)
async def test_an_answer_that_is_no_verdict_is_left_to_on_error(text: str) -> None:
    assert (await judged(completion(content=text), "allow")).safe
    with pytest.raises(StageFailedError):
        await judged(completion(content=text), "block")


@pytest.mark.parametrize(
    ("body", "status"),
    [(completion(content=text), 200) for text in SPEAKS_OF_UNSAFE]
    + [
        (completion(content=None, reasoning_content="So it is unsafe."), 200),
        (completion(content="", reasoning="Unsafe, S1"), 200),
        (completion(refusal="That is unsafe."), 200),
        (completion(content={"verdict": "unsafe"}), 200),
        (b'{"choices": [{"text": "unsafe\\nS1"}]}', 200),
        (b'{"output": "unsafe"}', 200),
        (b"unsafe\nS1", 200),
        (b"<html>Unsafe</html>", 200),
        (b'{"error": {"message": "The prompt is unsafe."}}', 400),
    ],
)
@pytest.mark.parametrize("threshold", [None, 0.99])
async def test_an_answer_that_speaks_of_unsafe_passes_nowhere(
    body: bytes, status: int, threshold: float | None
) -> None:
    with pytest.raises(StageFailedError) as failed:
        await judged(body, "allow", status, threshold=threshold)
    assert isinstance(failed.value.__cause__, NeverAllowedError)
    assert "S1" not in failed.value.reason


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("unsafe\nS6", True),
        ("unsafe S6, S13.", True),
        ("**unsafe**\ns6: Specialized Advice", True),
        ("unsafe\nS6 because the user asks for advice", True),
        ("unsafe", False),
        ("unsafe\nSpecialized Advice", False),
        ("unsafe\nS6,S10", False),
        ("unsafe\nS6,S99", False),
        ("unsafe\nS6,S123", False),
        ("unsafe\nS6,O3", False),
        ("unsafe\nS6,10", False),
        ("unsafe\nS6 S-10", False),
        ("unsafe\nS6 S1a", False),
    ],
)
async def test_only_known_codes_that_are_all_excluded_let_unsafe_pass(
    text: str, *, passes: bool
) -> None:
    excluded = frozenset({"S6", "S13"})
    verdict = await judged(completion(content=text), "allow", exclude=excluded)
    assert verdict.safe == passes


async def test_text_that_is_not_unicode_is_still_a_verdict() -> None:
    broken = b'{"choices": [{"message": {"content": "%s"}}]}'
    assert (await judged(broken % b"safe\\ud83d", "block")).safe
    assert not (await judged(broken % b"unsafe \xff\\nS1", "allow")).safe


async def test_parts_of_text_are_read_as_one() -> None:
    parts = [{"type": "text", "text": "un"}, {"type": "text", "text": "safe\nS1"}]
    verdict = await judged(completion(content=parts), "block")
    assert [each.category for each in verdict.violations] == ["S1"]


def logprobs(*tokens: tuple[str, dict[str, float]]) -> list[dict[str, Any]]:
    return [
        {
            "token": token,
            "logprob": top.get(token, -0.1),
            "top_logprobs": [{"token": each, "logprob": p} for each, p in top.items()],
        }
        for token, top in tokens
    ]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("**unsafe**\nS1", [("**", {"**": -0.1, "safe": -3}), ("unsafe", {"unsafe": -0.1})]),
        ("<think>Safe?</think>unsafe\nS1", [("<think>", {"<think>": -0.1, "safe": -3})]),
        ("Safe?</think>unsafe\nS1", [("Safe", {"Safe": -0.1, "unsafe": -9})]),
        ("unsafe\nS1", [("u", {"u": -0.1, "safe": -3}), ("nsafe", {"nsafe": -0.1})]),
        ("unsafe\nS1", [(" Unsafe", {" Unsafe": -0.1, "safe": -3})]),
    ],
)
async def test_probabilities_of_something_else_make_nothing_safe(
    text: str, tokens: list[tuple[str, dict[str, float]]]
) -> None:
    choice = {"message": {"content": text}, "logprobs": {"content": logprobs(*tokens)}}
    body = msgspec.json.encode({"choices": [choice]})
    assert not (await judged(body, "allow", threshold=0.5)).safe


async def test_a_server_that_does_not_answer_is_left_to_on_error() -> None:
    assert (await judged(b'{"error": "overloaded"}', "allow", 503)).safe
    with pytest.raises(StageFailedError) as failed:
        await judged(b'{"error": "overloaded"}', "block", 503)
    assert isinstance(failed.value.__cause__, ProviderError)
