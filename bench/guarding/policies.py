"""The policy and the input that are measured: 50 patterns of which none occurs in 4 kB."""

import json

PATTERNS = 50
INPUT_BYTES = 4096

_SENTENCE = (
    "The harbour of Rostock opens at 8 and 17 ships have left it since Monday, 3 of them empty. "
)


def patterns(count: int = PATTERNS) -> list[str]:
    """Give expressions like those that operators write: keys, numbers, words."""
    forms = (
        r"\bsk-{0}[A-Za-z0-9]{{20,}}\b",
        r"\b{0}\d{{3}}-\d{{2}}-\d{{4}}\b",
        r"(?i)\bcodeword{0}\s+(?:alpha|bravo|charlie)\b",
        r"https?://[a-z]+{0}\.example/\S+",
        r"\b[A-Z]{{2}}{0}\d{{18}}\b",
    )
    return [forms[n % len(forms)].format(n) for n in range(count)]


def policy() -> str:
    """Write the policy file; JSON is YAML."""
    stage = {"stage": "patterns", "provider": "regex", "settings": {"patterns": {"p": patterns()}}}
    return json.dumps({"policies": {"default": {"input": [stage]}}})


def content() -> str:
    """Give an innocent input of `INPUT_BYTES`."""
    return (_SENTENCE * (INPUT_BYTES // len(_SENTENCE) + 1))[:INPUT_BYTES]
