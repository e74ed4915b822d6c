"""Whether digits are what they look like: check digits of card numbers and IBANs. Pure."""

import re

_CARDS = {
    "2": (16,), "34": (15,), "37": (15,), "35": (16,), "36": (14,), "38": (14,),
    "4": (13, 16, 19), "5": (16,), "6": (16, 17, 18, 19),
}  # fmt: skip
"""How long the numbers of cards of payment are, by what they begin with (ISO/IEC 7812)."""

_LONGEST_CARD = 19
_DOUBLED = {digit: sum(divmod(2 * int(digit), 10)) for digit in "0123456789"}
_PHONE_LENGTHS = range(8, 16)

_IBAN_LENGTHS = {
    each[:2]: int(each[2:])
    for each in (  # noqa: SIM905 -- one to a line would hide the rest
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 "
        "EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 "
        "IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 "
        "NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 "
        "TN24 TR26 UA29 VA22 VG24 XK20"
    ).split()
}
"""How long an IBAN of a country is (SWIFT's registry)."""


def is_card_number(candidate: str) -> bool:
    """Tell whether neighbouring groups of digits are a card number (Luhn's check digit holds)."""
    groups = re.findall(r"\d+", candidate)
    return any(_begins_card(groups, start) for start in range(len(groups)))


def is_iban(candidate: str) -> bool:
    """Tell whether a text begins with an IBAN (ISO 13616: it is 1 modulo 97)."""
    letters = candidate.replace(" ", "").upper()
    length = _IBAN_LENGTHS.get(letters[:2])
    if length is None or len(letters) < length:
        return False
    iban = letters[:length]
    return int("".join(str(int(each, 36)) for each in iban[4:] + iban[:4])) % 97 == 1


def is_phone_number(candidate: str) -> bool:
    """Tell whether there are as many digits as a phone number has (E.164)."""
    return sum(each.isdigit() for each in candidate) in _PHONE_LENGTHS


def _begins_card(groups: list[str], start: int) -> bool:
    digits = ""
    for place in range(start, len(groups)):
        digits += groups[place]
        if len(digits) > _LONGEST_CARD:
            return False
        lengths = _CARDS.get(digits[0]) or _CARDS.get(digits[:2], ())
        if len(digits) in lengths and _luhn(digits):
            return True
    return False


def _luhn(digits: str) -> bool:
    doubled = sum(map(_DOUBLED.__getitem__, digits[-2::-2]))
    return (sum(map(int, digits[-1::-2])) + doubled) % 10 == 0
