"""The sets of expressions that are shipped; a policy names them. Pure.

An expression finds candidates. Where a form alone says little, a check looks at each of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from turnwire_guard.providers.regex.numbers import is_card_number, is_iban, is_phone_number
from turnwire_guard.providers.regex.urls import URL, has_user, is_homograph, is_numeric


@dataclass(frozen=True, slots=True)
class Detector:
    """One thing that can be found."""

    category: str
    reason: str
    expression: str
    confirm: Callable[[str], bool] | None = None
    """Whether what matched is what it looks like; `None`: it is."""


SETS: Mapping[str, tuple[Detector, ...]] = {
    "pii": (
        Detector(
            "email",
            "an e-mail address",
            r"\b[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b",
        ),
        Detector(
            "phone",
            "a phone number",
            r"\+[1-9][0-9]{0,2}(?:[ ./-]?\(?[0-9]{1,5}\)?){2,6}"
            r"|\(?\b[2-9][0-9]{2}\)?[-. ][2-9][0-9]{2}[-. ][0-9]{4}\b",
            is_phone_number,
        ),
        Detector(
            "iban",
            "an account number whose check digits hold",
            r"(?i:\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30})",
            is_iban,
        ),
        Detector(
            "credit_card",
            "a card number whose check digit holds",
            r"\b[0-9]{3,}(?:[ -][0-9]{2,})*\b",
            is_card_number,
        ),
    ),
    "suspicious-urls": (
        Detector("url_user", "an address with a user's name before its host", URL, has_user),
        Detector("url_numeric", "an address whose host is a number", URL, is_numeric),
        Detector("url_homograph", "an address that only looks like another", URL, is_homograph),
    ),
}
"""By the name that a policy uses."""
