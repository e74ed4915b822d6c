"""Every field of `POST /v1/responses`, one row each: what it may be, and what becomes of it.

The gateway's validation, the response object, the bodies of both kinds of backends, the OpenAPI
document and docs/coverage.md follow from these rows. Fields of which a shape must be read stand in
the gateway's `CreateRequest` besides; here they have no `type`.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

Treatment = Literal["supported", "passed through", "refused", "ignored"]


class RequestField(Struct, frozen=True):
    """One field that a client may send."""

    name: str
    treatment: Treatment
    about: str
    """What it does, as docs/coverage.md and the OpenAPI document say it."""
    type: Any = None
    """The type that its value must have; `None`: the gateway's `CreateRequest` says it, or any."""
    minimum: float | None = None
    """The least number that it may be; of a text, how many characters it has at least."""
    maximum: float | None = None
    """The greatest number that it may be; of a text, how many characters it has at most."""
    echo: Any = UNSET
    """What the response object says where a client did not set it; unset: it is not echoed, or by
    a rule of its own (`wire/response.py`)."""
    to_responses: bool = False
    """Whether a Responses backend is sent it as it is."""
    to_chat: bool = False
    """Whether a chat completions backend is sent it as it is."""
    counts: bool = False
    """Whether it goes as it is to a backend that counts the tokens of the input."""
    has_column: bool = False
    """Whether `Requested` has a field for it, or for what it means; all others are its `params`."""
    of_openai: bool = True
    """Whether OpenAI's Responses API has it."""
    harmless: tuple[Any, ...] = ()
    """Values of a field that is refused by which a client asks for what it gets anyway."""
    successor: str | None = None
    """Of a word of chat completions: the field that is kept instead."""

    @property
    def is_echoed(self) -> bool:
        """Whether the response object says it."""
        return not isinstance(self.echo, UnsetType)


_BOTH: Final[dict[str, Any]] = {"to_responses": True, "to_chat": True}
_STATE: Final[dict[str, Any]] = {"has_column": True}
_CACHES: Final = "caches are the backend's own"
_PLATFORM: Final = "programs of OpenAI's platform"


def _supported(name: str, about: str, **properties: Any) -> RequestField:
    return RequestField(name, "supported", about, **properties)


def _passed(name: str, about: str, **properties: Any) -> RequestField:
    return RequestField(name, "passed through", about, **properties)


def _ignored(name: str, about: str, **properties: Any) -> RequestField:
    return RequestField(name, "ignored", about, **properties)


def _refused(name: str, about: str, *harmless: Any) -> RequestField:
    return RequestField(name, "refused", about, of_openai=False, harmless=(None, *harmless))


def _extension(name: str, about: str) -> RequestField:
    return _passed(name, about, of_openai=False, **_BOTH)


def _older(name: str, successor: str, age: str = "") -> RequestField:
    about = f"chat completions' {age}word for `{successor}`"
    kept, _, _ = successor.replace(":", ".").partition(".")
    return _supported(name, about, of_openai=False, successor=kept)


_OF_TURNS: Final = (
    _supported("model", "one of `GET /v1/models`", **_STATE),
    _supported("input", "a text or items; what the history knows already is dropped", **_STATE),
    _supported("instructions", "inherited if absent or null; an empty text clears", **_STATE),
    _supported(
        "previous_response_id",
        "continues a stored response; chains branch freely",
        **_STATE,
    ),
    _supported("conversation", "an id or `{id}`; excludes `previous_response_id`", **_STATE),
    _supported("store", "true unless said; false leaves nothing behind", **_STATE),
    _supported("stream", "server-sent events, which can be read again from any point", **_STATE),
    _supported("stream_options", "`include_obfuscation: false` leaves the padding out", **_STATE),
    _supported("background", "202 at once; poll, stream or cancel it by its id", **_STATE),
    _supported("prompt", "a template that the operator keeps: id, version, variables"),
    _supported(
        "webhook",
        "`{url}`: where its end is told; `{}`: at the URL of the API key, whose secret signs both",
        of_openai=False,
        **_STATE,
    ),
)
"""What a turn is and where it belongs."""

_OF_SAMPLES: Final = (
    _supported("temperature", "0 to 2", type=float, minimum=0, maximum=2, echo=1.0, **_BOTH),
    _supported("top_p", "0 to 1", type=float, minimum=0, maximum=1, echo=1.0, **_BOTH),
    _supported(
        "presence_penalty",
        "-2 to 2",
        type=float,
        minimum=-2,
        maximum=2,
        echo=0.0,
        of_openai=False,
        **_BOTH,
    ),
    _supported(
        "frequency_penalty",
        "-2 to 2",
        type=float,
        minimum=-2,
        maximum=2,
        echo=0.0,
        of_openai=False,
        **_BOTH,
    ),
    _supported(
        "top_logprobs", "0 to 20", type=int, minimum=0, maximum=20, echo=0, to_responses=True
    ),
    _supported("max_output_tokens", "1 or more", echo=None, to_responses=True),
    _ignored(
        "max_tool_calls",
        "checked and echoed; it counts tools that the server runs",
        type=int,
        minimum=1,
        echo=None,
    ),
    _supported(
        "parallel_tool_calls",
        "whether the model may call several tools at once",
        type=bool,
        echo=True,
        to_responses=True,
        counts=True,
    ),
    _supported("tool_choice", "`none`, `auto`, `required`, or a tool that is offered", echo="auto"),
    _supported(
        "truncation",
        "`auto` drops the oldest turns, `disabled` refuses what is too long",
        type=Literal["auto", "disabled"],
        echo="disabled",
    ),
    _passed(
        "service_tier",
        "the echo says what the backend decided",
        type=str,
        echo="default",
        **_BOTH,
    ),
    _supported(
        "metadata", "16 pairs, keys of 64 and values of 512 characters; stays here", echo={}
    ),
    _passed("safety_identifier", "echoed too", type=str, echo=None, **_BOTH),
    _passed("prompt_cache_key", "echoed too", type=str, echo=None, **_BOTH),
    _passed("user", "echoed too", type=str, echo=None, **_BOTH),
    _supported("include", "encrypted reasoning and logprobs; other members have no effect"),
    _supported("tools", "functions are checked; other types: see the tools below"),
    _supported(
        "text",
        "structured output and verbosity; the shape of chat completions is understood",
        to_responses=True,
        counts=True,
    ),
    _passed("reasoning", "effort and summary; echoed too", to_responses=True, counts=True),
)
"""How the model answers. Those that are echoed stand in the order of the response object."""

_WITHOUT_EFFECT: Final = (
    _ignored("access_programs", _PLATFORM),
    _ignored("background_options", "background turns start as soon as there is room"),
    _ignored("context_management", "compact when you like: `POST /v1/responses/compact`"),
    _ignored("image", "no images are made here"),
    _ignored("moderation", "the operator's guard decides, not the request"),
    _ignored("prompt_cache_options", _CACHES),
    _ignored("prompt_cache_retention", _CACHES),
)

_OF_CHAT_COMPLETIONS: Final = (
    _older("max_tokens", "max_output_tokens"),
    _older("max_completion_tokens", "max_output_tokens"),
    _older("response_format", "text.format"),
    _older("reasoning_effort", "reasoning.effort"),
    _older("verbosity", "text.verbosity"),
    _older("logprobs", "include: message.output_text.logprobs"),
    _older("functions", "tools", "older "),
    _older("function_call", "tool_choice", "older "),
)
"""Fields that are kept by the names of their successors."""

_OF_SERVERS: Final = (
    _supported(
        "stop",
        "a text or texts that end the answer",
        type=str | list[str],
        of_openai=False,
        **_BOTH,
    ),
    _extension("seed", "for backends that know it"),
    _extension("top_k", "for backends that know it"),
    _extension("min_p", "for backends that know it"),
    _extension("repetition_penalty", "for backends that know it"),
    _extension("logit_bias", "for backends that know it"),
    _extension("chat_template_kwargs", "for backends that know it"),
)
"""Fields that vLLM, llama.cpp and SGLang know."""

_OF_OTHER_APIS: Final = (
    _refused("messages", "In the Responses API it is `input`, which takes the same messages"),
    _refused("system", "In the Responses API it is `instructions`"),
    _refused("system_instruction", "In the Responses API it is `instructions`"),
    _refused("stop_sequences", "Here it is `stop`"),
    _refused("web_search_options", "In the Responses API it is a tool of the type `web_search`"),
    _refused("n", "A response is one answer: send the request as often as you like", 1),
    _refused("modalities", "Answers are text: leave it out", [], ["text"]),
    _refused("audio", "Answers are text: leave it out"),
)
"""Fields by which chat completions, Anthropic and Google ask for another answer than would come
without them; what they are about says what to send instead."""

REQUEST_FIELDS: Final = (
    *_OF_TURNS,
    *_OF_SAMPLES,
    *_WITHOUT_EFFECT,
    *_OF_CHAT_COMPLETIONS,
    *_OF_SERVERS,
    *_OF_OTHER_APIS,
)


def names(fields: Iterable[RequestField]) -> tuple[str, ...]:
    """Name fields."""
    return tuple(field.name for field in fields)


ECHOED: Final[dict[str, Any]] = {each.name: each.echo for each in REQUEST_FIELDS if each.is_echoed}
"""What the response object says of each field where a client did not set it."""

TO_RESPONSES: Final = names(each for each in REQUEST_FIELDS if each.to_responses)
TO_CHAT: Final = names(each for each in REQUEST_FIELDS if each.to_chat)
REFUSED: Final = tuple(each for each in REQUEST_FIELDS if each.treatment == "refused")
COUNTED: Final = names(each for each in REQUEST_FIELDS if each.counts)
OLDER: Final = {each.name: each.successor for each in REQUEST_FIELDS if each.successor}
"""Fields that are kept by the names of their successors, and those names."""

NOT_PARAMS: Final = (
    frozenset(names(each for each in REQUEST_FIELDS if each.has_column)) | OLDER.keys()
)
"""Fields that are not kept by their names among `Requested.params`."""
