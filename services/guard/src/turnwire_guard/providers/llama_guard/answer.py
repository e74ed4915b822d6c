"""What Llama Guard answered. Pure."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_guard.pipeline import Finding, NeverAllowedError, ProviderError
from turnwire_guard.providers.llama_guard.categories import NAMES
from turnwire_guard.providers.llama_guard.options import Options
from turnwire_guard.providers.llama_guard.verdict_text import (
    VerdictText,
    read_verdict,
    says_unsafe,
)

_UNNAMED: Final = Finding("unsafe", "No category was named")
"""What is unsafe without a code that may be excluded."""


def findings_in(completion: Any, options: Options) -> tuple[Finding, ...]:
    """Read a chat completion.

    Raises ProviderError for one that is no verdict, NeverAllowedError if it speaks of `unsafe`.
    """
    choices = objects(mapping(completion).get("choices"))
    text = _text(mapping(choices[0].get("message")).get("content")) if choices else ""
    verdict = read_verdict(text)
    if verdict is None:
        # What it says may repeat what was judged, so it is not told.
        missing = "is neither 'safe' nor 'unsafe'" if text else "has no text"
        raise refusal(f"the answer {missing}", [text, *_strings(choices or completion)])
    if _is_safe(verdict, choices[0], options.threshold):
        return ()
    found = [code for code in verdict.codes if code not in options.exclude]
    if not found:
        return () if verdict.codes and verdict.only_codes else (_UNNAMED,)
    return tuple(Finding(code, NAMES.get(code, "Unknown category")) for code in found)


def refusal(reason: str, texts: Iterable[str]) -> ProviderError:
    """Give the error for an answer that cannot be read, by what its texts say nevertheless."""
    if any(map(says_unsafe, texts)):
        return NeverAllowedError(f"{reason}, and speaks of what is unsafe")
    return ProviderError(reason)


def _text(content: object) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in objects(content))


def _strings(value: object) -> Iterator[str]:
    """All that a JSON value says, names of fields included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _strings(each)
    elif isinstance(value, dict):
        for name, each in mapping(value).items():
            yield name
            yield from _strings(each)


def _is_safe(verdict: VerdictText, choice: JSON, threshold: float | None) -> bool:
    if threshold is None or verdict.thought:
        return verdict.safe
    probability = _probability_of_unsafe(choice)
    return verdict.safe if probability is None else probability < threshold


def _probability_of_unsafe(choice: JSON) -> float | None:
    """Compare the two words where the answer begins; `None` if it begins with neither."""
    for token in objects(mapping(choice.get("logprobs")).get("content")):
        text = _letters(token)
        if not text:
            continue
        if not (_begins("safe", text) or _begins("unsafe", text)):
            return None
        weights = _weights([*objects(token.get("top_logprobs")), token])
        safe = sum(weight for text, weight in weights.items() if _begins("safe", text))
        # Some tokenizers write it as two: `un`, `safe`.
        unsafe = sum(weight for text, weight in weights.items() if _begins("unsafe", text))
        return unsafe / (safe + unsafe) if safe + unsafe else None
    return None


def _begins(word: str, text: str) -> bool:
    return bool(text) and (word.startswith(text) or text.startswith(word))


def _letters(token: JSON) -> str:
    return "".join(char for char in str(token.get("token", "")).lower() if char.isalnum())


def _weights(tokens: Iterable[JSON]) -> dict[str, float]:
    weights: dict[str, tuple[str, float]] = {}
    for token in tokens:
        text, logprob = token.get("token"), token.get("logprob")
        if isinstance(text, str) and isinstance(logprob, int | float) and logprob <= 0:
            # Exactly once, though the chosen token stands among the others, too.
            weights[text] = _letters(token), math.exp(logprob)
    words: dict[str, float] = {}
    for word, weight in weights.values():
        words[word] = words.get(word, 0.0) + weight
    return words
