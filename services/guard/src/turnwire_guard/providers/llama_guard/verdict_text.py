"""The verdict in what a model wrote, whatever it and its server put around it. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_THOUGHT_NAMES: Final = "think|thinking|thought|reasoning|analysis"
_THOUGHT: Final = re.compile(rf"(?is)[<\[](?P<name>{_THOUGHT_NAMES})[>\]].*?[<\[]/(?P=name)[>\]]")
_THOUGHT_END: Final = re.compile(rf"(?is).*[<\[]/(?:{_THOUGHT_NAMES})[>\]]")
"""The template of a model may have begun the thought."""
_THOUGHT_BEGIN: Final = re.compile(rf"(?is)[<\[](?:{_THOUGHT_NAMES})[>\]].*")
_MARKUP: Final = re.compile(
    r"""
    <\|(?:start_header_id|header_start|im_start)\|>(?:assistant)?   # who speaks
    | <(?!\W*(?:un)?safe\b)[^<>\n]{1,40}>                          # special tokens and tags
    | \[/?INST\]
    | ^\s*```(?:json|text|txt|plaintext|markdown|md)?\b
    | \\[nrt]                                                      # escaped once too often
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)

_WORD: Final = re.compile(r"[^\W_]+")
_CODE: Final = re.compile(r"S(\d{1,2})")
_CODE_LIKE: Final = re.compile(r"[A-Z]{0,2}\d\w*")
_BESIDE_SAFE: Final = frozenset({"safe", "none"})
_NOT_SAFE: Final = re.compile(r"unsafe|notsafe|isntsafe|safefalse")
"""In letters alone; `{"safe": false}` is among them."""


@dataclass(frozen=True, slots=True)
class VerdictText:
    """A text that says `safe` or `unsafe`."""

    safe: bool
    codes: tuple[str, ...] = ()
    """The categories' codes, `S` and a number."""
    only_codes: bool = True
    """Whether nothing else stands there that may be the code of a category."""
    thought: bool = False
    """Whether the model thought before it said so."""


def read_verdict(text: str) -> VerdictText | None:
    """Read a model's answer; `None` if it is no verdict.

    The first word decides, in any case and markup, after thoughts. Behind `safe` no more may be
    said: who begins so may go on to answer what was to be judged.
    """
    whole = unicodedata.normalize("NFKC", text)
    rest = _without_thoughts(whole)
    words: list[str] = _WORD.findall(_MARKUP.sub("\n", rest))
    first, *others = [word.lower() for word in words] or [""]
    thought = rest != whole
    if first == "unsafe":
        upper = [word.upper() for word in others]
        codes = [f"S{int(found[1])}" for word in upper if (found := _CODE.fullmatch(word))]
        like = [word for word in upper if _CODE_LIKE.fullmatch(word)]
        return VerdictText(
            safe=False,
            codes=tuple(dict.fromkeys(codes)),
            only_codes=len(like) == len(codes),
            thought=thought,
        )
    if first == "safe" and _BESIDE_SAFE.issuperset(others):
        return VerdictText(safe=True, thought=thought)
    return None


def says_unsafe(text: str) -> bool:
    """Tell whether `unsafe` stands anywhere in a text, in any case, spelling and markup."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return any(
        _NOT_SAFE.search("".join(char for char in each if char.isalnum()))
        for each in (plain, _MARKUP.sub("", plain))
    )


def _without_thoughts(text: str) -> str:
    return _THOUGHT_BEGIN.sub("", _THOUGHT_END.sub("", _THOUGHT.sub("", text)))
