"""A prompt that is too long is told from everything else that is too long, too large or too many.

What servers were seen to say is in `dialects`; the files in `wordings` hold, line by line, the same
in other words, and something else in the same words.
"""

from pathlib import Path

import pytest

from turnwire_orchestrator.failures import Overflow
from turnwire_orchestrator.inference.context_length import overflow_of
from turnwire_orchestrator.inference.errors import BackendError, error_in

FOLDER = Path(__file__).parent / "wordings"
TOO_LONG = (FOLDER / "too_long.txt").read_text(encoding="utf-8").splitlines()
ANOTHER = (FOLDER / "another.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("words", TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_in_other_words(words: str) -> None:
    assert overflow_of(error_in({"error": words})) is not None
    assert overflow_of(error_in({"error": {"message": words, "code": 500}}), 500) is not None


@pytest.mark.parametrize("words", ANOTHER)
def test_what_else_is_too_long_is_no_long_prompt(words: str) -> None:
    assert overflow_of(error_in({"error": words})) is None


@pytest.mark.parametrize("status", [401, 402, 403, 404, 408, 409, 429])
def test_a_status_that_means_something_else_beats_the_words(status: int) -> None:
    said = error_in({"error": "prompt is too long: 5000 tokens > 4096"})
    assert overflow_of(said, status) is None
    assert overflow_of(said, 413) == Overflow(5000, 4096)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("context_length_exceeded", ""),
        ("", "exceed_context_size_error"),
        ("ContextWindowExceededError", ""),
        ("model_context_window_exceeded", ""),
        ("", "ResponseType.INPUT_LENGTH_ERROR"),
    ],
)
def test_a_code_says_it_without_words(code: str, kind: str) -> None:
    assert overflow_of(BackendError("Sorry.", code, kind)) == Overflow()


@pytest.mark.parametrize(
    ("words", "tokens", "limit"),
    [
        ("prompt has 5,000 tokens, context length is 4,096", 5000, 4096),
        ("Sequence length 5000 exceeds maximum of 4096", 5000, 4096),
        ("prompt is too long by 100 tokens, limit 4096", 4196, 4096),
        ("input tokens (4000) + max_tokens (500) exceed the context length 4096", 4500, 4096),
        ("prompt is too long", None, None),
        ("gpt-4-32k: the prompt is longer than the context window of 4096", None, 4096),
    ],
)
def test_both_numbers_are_read_where_they_stand(
    words: str, tokens: int | None, limit: int | None
) -> None:
    assert overflow_of(error_in(words)) == Overflow(tokens, limit)
