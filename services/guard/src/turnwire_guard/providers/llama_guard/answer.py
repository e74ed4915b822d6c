"""What Llama Guard answered. Pure."""

import math
import re
from collections.abc import Iterable
from typing import Any

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_guard.pipeline import Finding, ProviderError
from turnwire_guard.providers.llama_guard.categories import NAMES
from turnwire_guard.providers.llama_guard.options import Options

_CODE = re.compile(r"\bS\d{1,2}\b", re.IGNORECASE)
_UNNAMED = "unsafe"
"""The category of what is unsafe without a code."""


def findings_in(completion: Any, options: Options) -> tuple[Finding, ...]:
    """Read a chat completion. Raises ProviderError for one that is no verdict."""
    choices = objects(mapping(completion).get("choices"))
    text = mapping(choices[0].get("message")).get("content") if choices else None
    if not isinstance(text, str):
        raise ProviderError("the answer has no text")
    word, codes = _read(text)
    probability = _probability_of_unsafe(choices[0]) if options.threshold is not None else None
    if options.threshold is not None and probability is not None:
        word = "unsafe" if probability >= options.threshold else "safe"
    if word == "safe":
        return ()
    if not codes:
        return (Finding(_UNNAMED, "No category was named"),)
    return tuple(
        Finding(code, NAMES.get(code, "Unknown category"))
        for code in codes
        if code not in options.exclude
    )


def _read(text: str) -> tuple[str, list[str]]:
    """Split into the word and the codes; models like to begin with empty lines."""
    first, _, rest = text.strip().partition("\n")
    word = first.strip().lower()
    codes = list(dict.fromkeys(code.upper() for code in _CODE.findall(rest)))
    if word == "unsafe" or (word == "safe" and not rest.strip()):
        return word, codes
    # Its text may repeat what was judged, so it is not told.
    raise ProviderError("the answer is neither 'safe' nor 'unsafe'")


def _probability_of_unsafe(choice: JSON) -> float | None:
    """Compare the two words where the answer begins; `None` if the server told no logprobs."""
    for token in objects(mapping(choice.get("logprobs")).get("content")):
        if not str(token.get("token", "")).strip():
            continue
        weights = _weights([*objects(token.get("top_logprobs")), token])
        safe = sum(weight for word, weight in weights.items() if word.startswith("safe"))
        # Some tokenizers write it as two: `un`, `safe`.
        unsafe = sum(weight for word, weight in weights.items() if word.startswith("un"))
        return unsafe / (safe + unsafe) if safe + unsafe else None
    return None


def _weights(tokens: Iterable[JSON]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for token in tokens:
        text, logprob = token.get("token"), token.get("logprob")
        if isinstance(text, str) and isinstance(logprob, int | float) and logprob <= 0:
            # Exactly once, though the chosen token stands among the others, too.
            weights[text] = math.exp(logprob)
    words: dict[str, float] = {}
    for text, weight in weights.items():
        word = text.strip().lower()
        words[word] = words.get(word, 0.0) + weight
    return words
