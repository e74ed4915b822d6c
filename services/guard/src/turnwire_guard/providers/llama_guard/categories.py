"""Llama Guard's categories (Meta: PurpleLlama, Llama-Guard3/8B, Llama-Guard3/1B, Llama-Guard4/12B).

Llama Guard 1 and 2 count differently and are not meant here.
"""

from collections.abc import Mapping
from typing import Literal

NAMES: Mapping[str, str] = {
    "S1": "Violent Crimes",
    "S2": "Non-Violent Crimes",
    "S3": "Sex-Related Crimes",
    "S4": "Child Sexual Exploitation",
    "S5": "Defamation",
    "S6": "Specialized Advice",
    "S7": "Privacy",
    "S8": "Intellectual Property",
    "S9": "Indiscriminate Weapons",
    "S10": "Hate",
    "S11": "Suicide & Self-Harm",
    "S12": "Sexual Content",
    "S13": "Elections",
    "S14": "Code Interpreter Abuse",
}
"""Each by its code, as the models' cards name it."""

PROMPT_NAMES: Mapping[str, str] = {
    **NAMES,
    "S3": "Sex Crimes",
    "S4": "Child Exploitation",
    "S11": "Self-Harm",
}
"""As the models were trained to read them."""

Variant = Literal["3-8b", "3-1b", "4-12b"]

CODES: Mapping[Variant, tuple[str, ...]] = {
    "3-8b": tuple(NAMES),
    "3-1b": tuple(code for code in NAMES if code != "S14"),
    "4-12b": tuple(NAMES),
}
"""What each model knows; the vision model of 11B is as that of 1B."""


def variant_of(model: str) -> Variant:
    """Tell by its name which one a model is; what says nothing is taken for the one of 8B."""
    name = model.lower()
    if "guard-4" in name or "guard4" in name:
        return "4-12b"
    return "3-1b" if "1b" in name else "3-8b"
