"""Whether a backend refuses a prompt because it is too long, told by what it says. Pure.

A few servers have a code for it. The others say it in words, each in its own, so the words are read
by a small grammar: an excess ("too long", "exceeds", "> 4096") is of what is named before it, and
counts if that is the input or the context. Limits of the output, of rates, of single fields and of
images are said in the same words and are none of this. The wordings that are known, with their
sources, are tests/dialects.
"""

import re
from typing import Final

from turnwire_contracts.json_values import JSON
from turnwire_orchestrator.failures import Overflow
from turnwire_orchestrator.inference.errors import BackendError

_CODE: Final = re.compile(
    r"context_?(?:length|window|size)_?(?:exceeded|error|overflow)|(?:prompt|input)_too_long"
    r"|input_length_error|model_max_prompt_tokens_exceeded|tokens_limit_reached"
)
"""Codes and types: OpenAI, llama.cpp, LiteLLM, LMDeploy, GitHub."""

_PARAM: Final = "input_tokens"
"""vLLM: what it names when the input has too many tokens."""

_WITHOUT_IT: Final = frozenset({401, 402, 403, 404, 405, 407, 408, 409, 429})
"""Statuses that mean something else, whatever the words."""


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


_WINDOW = (
    r"context(?:[ _-]?(?:length|size|window|limit|len|space|tokens?))?"
    r"(?![ _](?:cach|deadline|cancel))|num_ctx|n_ctx|max_model_len|max_seq_len(?:gth)?"
    r"|max_position_embeddings|max_num_tokens"
    r"|max_?(?:input|prompt|context|total|model|sequence)_?(?:tokens|len(?:gth)?)(?:_?exceeded)?"
    r"|session_len(?:gth)?|session(?: max)? length|(?:prompt|input) tokens? limit"
)
_CONTEXT = rf"{_WINDOW}|(?:model|sequence|token) (?:length|limit)"
_LENGTH = r"max(?:imum)?(?: allowed| supported| total)? (?:input |prompt |sequence |model )?length"
_MOST = r"max(?:imum)? tokens"
_INPUT = (
    r"input[ _]ids|seq(?:uence)?_len(?:gth)?|prompts?|inputs?|messages?|conversation|history"
    r"|requests?|requested|text|query|tokens?|contents?|document|sequence"
)
_OUTPUT = (
    r"max_(?:completion_|new_|output_|gen_)?(?:tokens|len|length)|max(?:output|new)?tokens"
    r"|maximum tokens (?:you requested|value)|tokens to (?:generate|sample)|max_gen_len|n_predict"
    r"|num_predict|budget_tokens|min_tokens|max(?:imum)? output"
    r"|(?:output|completion|generated|generation|response|thinking|reasoning|new)[ _]"
    r"(?:tokens?|length|sequence length)|completions?"
)
_OTHER = (
    r"(?:image|audio|video|speculative)s? tokens?|stop sequences?|responses?|answers?|string|array"
    r"|list|object|value|names?|keys?|ids?|url|files?|images?|audio|video|headers?|schema"
    r"|description|metadata|characters?|sequences|tools?|functions?|temperature|top_p|time|memory"
    r"|batch|retries|budget|items?|attachments?|pages?"
)
_NOUN: Final = re.compile(
    rf"\b(?:(?P<context>{_CONTEXT})|(?P<length>{_LENGTH})|(?P<output>{_OUTPUT})|(?P<most>{_MOST})"
    rf"|(?P<unit>(?<=\d )(?:{_INPUT}))|(?P<input>{_INPUT})|(?P<other>{_OTHER}))\b",
)
_EXCESS: Final = re.compile(
    r"too (?:long|large|big|much)|exceed(?:s|ed|ing)?\b"
    r"|(?<!must be )(?<!should be )(?:long|larg|great|bigg)er than"
    r"|more (?:\w+ )?than|overflow\w*|overshoots?|surpass\w*|(?:does not|doesn't|do not|cannot) fit"
    r"|(?:must|should|can|may)(?: only)? (?:have|be|contain)"
    r" (?:less|fewer|at most|<=?|no more|shorter|smaller)"
    r"|(?:only )?supports (?:only )?(?:up to|at most)|should be \["
    r"|is full|can only (?:handle|take|accept|process|read)"
    r"|(?:over|beyond) (?:the |its |your |a )?(?:limit|max|\d)"
    r"|(?<=[\d)]) ?(?:tokens )?>=? ?(?=\d|max|n_ctx|ses|context)"
)
_N = r"\d[\d,]*"
_OTHER_UNITS = r"(?:[kmg]i?)?b(?:ytes?)?|seconds?|minutes?|ms"
_LIMIT_THEN_COUNT: Final = re.compile(
    r"(?:<=?|at most|up to|(?:less|fewer|no more|smaller|shorter) than"
    rf"|max(?:imum)?(?:(?: [a-z_]+){{0,5}} (?:is|of|=))?) (?P<limit>{_N})(?: [a-z_]+){{0,3}}[,;]?"
    r" (?:but |and |while )?(?:you |(?:your|the) [a-z]+ )?"
    rf"(?:(?P<given>{_N}) (?:tokens )?(?:were|was|are)"
    r"|(?:got|received|given|found|was|were|provided|sent|ha[ds])"
    rf"[^\d.;]{{0,30}} (?P<count>{_N}))\b"
)
_COUNT_THEN_LIMIT: Final = re.compile(
    rf"(?P<count>{_N})(?! ?(?:{_OTHER_UNITS})\b)(?: [a-z_]+){{0,2}}"
    r" ?[,;(] ?(?:but |while |and )?(?:the )?(?:max(?:imum)?|limit)"
    rf"(?: (?:allowed|length|size|number|context|is|of)){{0,2}}[:=]? ?(?P<limit>{_N})"
)
"""A limit and what does not keep it, without a word for that."""

_AHEAD: Final = re.compile(
    r"too many (?:input |prompt |total )?tokens"
    rf"|reached (?:the |its )?(?:max(?:imum)? )?(?:{_CONTEXT}|{_LENGTH})"
    rf"|(?:{_WINDOW})(?: (?:limit|of {_N}|is|has|was|been|now|already|fully)){{0,4}}"
    r" (?:full|reached|exhausted|hit|used up)\b"
    r"|(?:not enough|insufficient|too little|no(?: more)?|out of|lacks?)(?: (?:room|space|tokens))?"
    rf"(?: left)?(?: (?:in|of))?(?: (?:the|your|its))? (?:{_WINDOW})"
    r"(?=$|[:.,;(]| (?:left|for|of)\b| to (?:fit|hold|process|handle|read|store)\b)"
    r"|(?:reduce|shorten|decrease) (?:the |your )?"
    r"(?:(?:length|size|number of tokens|amount) (?:of|in) (?:the |your )?(?:input )?)?"
    r"(?:messages?|prompts?|inputs?|conversation|context)\b"
    rf"|context length of only|context overflow|{_CODE.pattern}"
    r"|(?:输入|上下文|提示词)[^。;]{0,20}(?:超过|超出|过长)"
    r"|(?:default_)?max_(?:completion_|new_|output_)?tokens[^.;]{0,30}?(?:got|\(|=|:) ?-\d"
)
"""Excesses whose subject follows; and a room for the output that the prompt made negative."""

_LIMIT: Final = re.compile(
    rf"(?:{_CONTEXT}|{_LENGTH})(?: (?:is|of|=|:|only|just|allowed|limit)){{1,3}} ?\d"
    rf"|\d max(?:imum)? (?:{_CONTEXT}|{_LENGTH})"
)
_DEMAND: Final = re.compile(
    r"requested|resulted in|request (?:has|contains)|prompt (?:is|has|contains)"
    r"|passed|you (?:sent|have|supplied)|requires a"
)
_SIZE: Final = re.compile(
    r"prompt|token|length|\blong|context|n_ctx|_len\b|too large to process|message size"
)
_NOT_IT: Final = re.compile(
    r"\b(?:dai|week|month|hour)ly\b"
    r"|\bper[ -](?:min|minute|day|hour|second|month)\b|\b[tr]p[mds]\b|rate[ -_]?limit|quota|throttl"
    r"|please wait|concurren|credits?\b|time[ -]?out|timed out"
    r"|took (?:too )?long|time limit|deadline"
    r"|\bqueue\b|at most \d+ (?:image|audio|video)"
)
_TOGETHER: Final = re.compile(
    rf"\b(?:{_INPUT}|length)\b(?:[^.;]{{0,24}}?(?:\+|\band\b|\bplus\b)"
    rf"(?: (?:the|your|requested|maximum))* ?)(?:{_OUTPUT})\b"
)
"""Input and output, whose sum is too much."""

_OF_PYDANTIC: Final = re.compile(r"input should(?= (?:be|have|match|start|end|contain)\b)")
"""Pydantic calls the value of any field so."""

_PRONOUNS: Final = re.compile(r"\b(?:error|this|that|it|they|which|you|sorry)\b|[\W\d]")
_STOP: Final = re.compile(r"[.;!?] |\n")
_BRACKETS: Final = re.compile(r"\([^()]*\)")

_SUBJECTS: Final = ("input", "output", "other")
_DIGITS = r"(?<![\w.-])(?P<count>\d[\d,]*(?:\.0)?)(?![\w-])"
_NUMBER: Final = re.compile(r"(?<![\w.-])\d[\d,]*(?:\.0)?(?![\w-])")
_BY: Final = re.compile(rf"by {_DIGITS}(?: tokens)?")
_OUTPUT_COUNT: Final = re.compile(rf"(?:{_OUTPUT})[^\d.;]{{0,40}}?{_DIGITS}")
_LIMITS: Final = tuple(
    re.compile(cue + r"[^\d;]{0,60}?" + _DIGITS)
    for cue in (
        r"\d ?(?:tokens )?>=?",
        rf"\b(?:{_CONTEXT}|{_LENGTH})\b",
        r"(?:maximum|limit\b|max\b|only|at most|up to|less than|<=|\[\d+,)",
        r"(?:exceeds?|exceeded|than|too large for)",
    )
)
"""Where the limit stands: behind the first of these that there is."""


def _readable(message: str) -> str:
    """Give a message in lower case, without the quotes around names."""
    text = re.sub(r"[`'\"*\\]", "", message.lower().replace("model's", "model"))
    return _OF_PYDANTIC.sub("value should", text)


def _says_too_long(text: str) -> bool:
    if _NOT_IT.search(text):
        return False
    if _AHEAD.search(text):
        return True
    normalized = _TOGETHER.sub("input", text)
    if _says_what_was_asked(normalized):
        return True
    if not _SIZE.search(text):
        return False
    outside = _BRACKETS.sub("", normalized)
    read = outside if _EXCESS.search(outside) else normalized
    if any(_is_of_the_input(read, excess) for excess in _EXCESS.finditer(read)):
        return True
    return _says_count_and_limit(normalized)


def _says_count_and_limit(text: str) -> bool:
    """Tell whether a count of the input stands beside a limit that it does not keep."""
    found = _LIMIT_THEN_COUNT.search(text) or _COUNT_THEN_LIMIT.search(text)
    if found is None:
        return False
    said = found.groupdict()
    if _number(said.get("count") or said["given"]) <= _number(said["limit"]):
        return False
    nouns = [noun for noun in _NOUN.finditer(text, 0, found.end()) if noun.lastgroup in _SUBJECTS]
    return bool(nouns) and nouns[-1].lastgroup == "input"


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
    nouns = [*_NOUN.finditer(text, begin, excess.start())]
    preceding = [noun for noun in nouns if noun.lastgroup != "unit"] or nouns
    behind = _NOUN.search(text, excess.end(), stop.start() if stop else len(text))
    if preceding and behind and behind.lastgroup == "output" and "too" not in excess[0]:
        return False
    if preceding:
        return preceding[-1].lastgroup in ("input", "unit", "context", "length")
    if behind is None:
        return False
    if behind.lastgroup in ("length", "most"):
        # Of what: strings have a maximum length, too.
        return not _PRONOUNS.sub("", text[begin : excess.start()])
    return behind.lastgroup in ("input", "unit", "context")


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
