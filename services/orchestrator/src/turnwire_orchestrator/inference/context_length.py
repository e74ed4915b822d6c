"""Whether a backend refuses a prompt because it is too long, told by what it says. Pure.

A few servers have a code for it. The others say it in words, each in its own, so the words are read
by a small grammar: an excess ("too long", "exceeds", "> 4096") is of what is named before it, and
counts if that is the input or the context. Limits of the output, of rates, of single fields and of
images are said in the same words and are none of this. The wordings that are known, with their
sources, are tests/dialects.
"""

import re
from typing import Final

from msgspec import Struct

from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.inference.errors import BackendError

CONTEXT_LENGTH: Final = "context_length_exceeded"

_CODE: Final = re.compile(
    r"context_?(?:length|window|size)_?(?:exceeded|error|overflow)|(?:prompt|input)_too_long"
    r"|input_length_error|model_max_prompt_tokens_exceeded|tokens_limit_reached"
)
"""Codes and types: OpenAI, llama.cpp, LiteLLM, LMDeploy, GitHub."""

_PARAM: Final = "input_tokens"
"""vLLM: what it names when the input has too many tokens."""

_WITHOUT_IT: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 409, 429})
"""Statuses that mean something else, whatever the words."""


class Overflow(Struct, frozen=True):
    """A prompt that is too long: how many tokens it has and how many are read, where known."""

    tokens: int | None = None
    limit: int | None = None


def overflow_of(error: BackendError, status: int | None = None) -> Overflow | None:
    """Read by how much a prompt is too long; `None` when the error is about something else."""
    if _CODE.search(f"{error.code} {error.type}".lower()) or error.param == _PARAM:
        return _counted(error.fields) or _counts(_readable(error.message))
    if status in _WITHOUT_IT or error.status in _WITHOUT_IT:
        return None
    text = _readable(error.message)
    if not _says_too_long(text):
        return None
    return _counted(error.fields) or _counts(text)


_CONTEXT = (
    r"context(?:[ _-]?(?:length|size|window|limit|len))|num_ctx|n_ctx|max_model_len|max_seq_len"
    r"|session_len(?:gth)?|session(?: max)? length|(?:model|sequence|token) (?:length|limit)"
    r"|max(?:imum)?(?: allowed| supported| total)? (?:input |prompt |sequence |model )?length"
)
_INPUT = (
    r"prompts?|inputs?|input_ids|messages?|conversation|history|requests?|requested|text|query"
    r"|tokens?|contents?|document|sequence"
)
_OUTPUT = (
    r"max_(?:completion_|new_|output_|gen_)?(?:tokens|len|length)|max(?:output|new)?tokens"
    r"|maximum tokens (?:you requested|value)|tokens to (?:generate|sample)|max_gen_len|n_predict"
    r"|num_predict|budget_tokens|min_tokens|max(?:imum)? output"
    r"|(?:output|completion|generated|generation|response|thinking|reasoning|new)[ _]"
    r"(?:tokens?|length|sequence length)|completion"
)
_OTHER = (
    r"(?:image|audio|video)s? tokens?|stop sequences?|responses?|answers?|string|array|list|object"
    r"|value|names?|keys?|ids?|url|files?|images?|audio|video|headers?|schema|description|metadata"
    r"|characters?|sequences|tools?|functions?|temperature|top_p|time|memory|batch|retries|budget"
    r"|items?|attachments?|pages?"
)
_NOUN: Final = re.compile(
    rf"\b(?:(?P<context>{_CONTEXT})|(?P<output>{_OUTPUT})|(?P<input>{_INPUT})|(?P<other>{_OTHER}))\b",
)
_EXCESS: Final = re.compile(
    r"too (?:long|large|big|much)|exceed(?:s|ed|ing)?\b|(?:long|larg|great|bigg)er than"
    r"|more (?:\w+ )?than|overflow\w*|overshoots?|surpass\w*|(?:does not|doesn't|do not|cannot) fit"
    r"|(?:must|should|can|may)(?: only)? (?:have|be|contain)"
    r" (?:less|fewer|at most|<=?|no more|shorter|smaller)"
    r"|(?:only )?supports (?:only )?(?:up to|at most)|should be \[|over the (?:limit|maximum)"
    r"|is full|can only (?:handle|take|accept|process|read)"
    r"|(?<=[\d)]) ?(?:tokens )?>=? ?(?=\d|max|n_ctx|ses)"
)
_AHEAD: Final = re.compile(
    r"too many (?:input |prompt |total )?tokens"
    rf"|reached (?:the |its )?(?:{_CONTEXT})"
    r"|(?:reduce|shorten|decrease) (?:the |your )?"
    r"(?:(?:length|size|number of tokens|amount) (?:of|in) (?:the |your )?(?:input )?)?"
    r"(?:messages?|prompts?|inputs?|conversation|context)\b"
    rf"|context length of only|context overflow|{_CODE.pattern}"
    r"|(?:输入|上下文|提示词)[^。;]{0,20}(?:超过|超出|过长)"
    r"|(?:default_)?max_(?:completion_|new_|output_)?tokens[^.;]{0,30}?(?:got|\(|=|:) ?-\d"
)
"""Excesses whose subject follows; and a room for the output that the prompt made negative."""

_LIMIT: Final = re.compile(
    rf"(?:{_CONTEXT})(?: (?:is|of|=|:|only|just|allowed|limit)){{1,3}} ?\d"
    rf"|\d max(?:imum)? (?:{_CONTEXT})"
)
_DEMAND: Final = re.compile(
    r"requested|resulted in|request (?:has|contains)|prompt (?:is|has|contains)"
    r"|passed|you (?:sent|have|supplied)|requires a"
)
_SIZE: Final = re.compile(
    r"token|length|\blong|context|n_ctx|max_seq_len|too large to process|message size"
)
_NOT_IT: Final = re.compile(
    r"\bper[ -](?:min|minute|day|hour|second|month)\b|\b[tr]p[mds]\b|rate[ -_]?limit|quota|throttl"
    r"|please wait|concurren|credits?\b|time[ -]?out|timed out|took too long|time limit|deadline"
    r"|\bqueue\b|at most \d+ (?:image|audio|video)"
)
_TOGETHER: Final = re.compile(
    rf"\b(?:{_INPUT}|length)\b(?:[^.;]{{0,24}}?(?:\+|\band\b|\bplus\b)"
    rf"(?: (?:the|your|requested|maximum))* ?)(?:{_OUTPUT})\b"
)
"""Input and output, whose sum is too much."""

_STOP: Final = re.compile(r"[.;!?] |\n")
_BRACKETS: Final = re.compile(r"\([^()]*\)")

_DIGITS = r"(?<![\w.-])(?P<count>\d[\d,]*(?:\.0)?)(?![\w-])"
_NUMBER: Final = re.compile(r"(?<![\w.-])\d[\d,]*(?:\.0)?(?![\w-])")
_BY: Final = re.compile(rf"by {_DIGITS}(?: tokens)?")
_OUTPUT_COUNT: Final = re.compile(rf"(?:{_OUTPUT})[^\d.;]{{0,40}}?{_DIGITS}")
_LIMITS: Final = tuple(
    re.compile(cue + r"[^\d;]{0,60}?" + _DIGITS)
    for cue in (
        r"\d ?(?:tokens )?>=?",
        rf"\b(?:{_CONTEXT})\b",
        r"(?:maximum|limit\b|max\b|only|at most|up to|less than|<=|\[\d+,)",
        r"(?:exceeds?|exceeded|than|too large for)",
    )
)
"""Where the limit stands: behind the first of these that there is."""


def _readable(message: str) -> str:
    """Give a message in lower case, without the quotes around names."""
    text = re.sub(r"[`'\"*\\]", "", message.lower().replace("model's", "model"))
    # Pydantic calls the value of any field so.
    return text.replace("input should", "value should")


def _says_too_long(text: str) -> bool:
    if _NOT_IT.search(text):
        return False
    if _AHEAD.search(text):
        return True
    told = _TOGETHER.sub("input", text)
    if _says_what_was_asked(told):
        return True
    outside = _BRACKETS.sub("", told)
    read = outside if _EXCESS.search(outside) else told
    excesses = _EXCESS.finditer(read) if _SIZE.search(text) else ()
    return any(_is_of_the_input(read, excess) for excess in excesses)


def _says_what_was_asked(text: str) -> bool:
    """Tell whether a limit of the context stands beside a larger demand.

    vLLM says this of an output, too, which alone or with the input has no room.
    """
    limit = _LIMIT.search(text)
    if limit is None or not _DEMAND.search(text):
        return False
    output = _OUTPUT_COUNT.search(text, 0, limit.start())
    if output is None:
        return not any(
            noun.lastgroup == "output" for noun in _NOUN.finditer(text, 0, limit.start())
        )
    most = _limit(text)
    return most is not None and _number(output["count"]) < most


def _is_of_the_input(text: str, excess: re.Match[str]) -> bool:
    """Tell whether what is too much is the input, by the nearest noun before, else behind it."""
    begin = max((stop.end() for stop in _STOP.finditer(text, 0, excess.start())), default=0)
    stop = _STOP.search(text, excess.end())
    before = [*_NOUN.finditer(text, begin, excess.start())]
    behind = _NOUN.search(text, excess.end(), stop.start() if stop else len(text))
    if before and behind and behind.lastgroup == "output" and "too" not in excess[0]:
        return False
    noun = before[-1] if before else behind
    return noun is not None and noun.lastgroup in ("input", "context")


def _counted(fields: JSON) -> Overflow | None:
    """Read the numbers where they have members of their own (llama.cpp)."""
    counts = [fields.get(name) for name in ("n_prompt_tokens", "n_ctx")]
    tokens, limit = (count if isinstance(count, int) else None for count in counts)
    return Overflow(tokens, limit) if tokens or limit else None


def _counts(text: str) -> Overflow:
    """Read the numbers in words: the limit, and what is more than it, or together is."""
    limit = _limit(text)
    too_many = _BY.search(text)
    if limit is None:
        return Overflow()
    if too_many:
        return Overflow(limit + _number(too_many["count"]), limit)
    others = [count for count in map(_number, _NUMBER.findall(text)) if count != limit]
    most = max(others, default=0)
    total = most if most > limit else sum(dict.fromkeys(others))
    if total > limit:
        return Overflow(total, limit)
    # Of two numbers the smaller one is the limit, in whatever order they stand.
    return Overflow(limit, most) if len(others) == 1 else Overflow(None, limit)


def _limit(text: str) -> int | None:
    for pattern in _LIMITS:
        if found := pattern.search(_BY.sub("", text)):
            return _number(found["count"])
    return None


def _number(digits: str) -> int:
    return int(digits.replace(",", "").partition(".")[0])
