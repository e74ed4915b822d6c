"""What the other requests take: their queries, their bodies, and the WebSocket's additions."""

from turnwire_gateway.openapi.coverage.verdict import Covered, ignored, passed, supported

_NO_INCLUDE = "all that is stored is shown"

RETRIEVE: tuple[Covered, ...] = (
    ignored("include", _NO_INCLUDE),
    supported("stream", "the whole stream again, of any stored response"),
    supported("starting_after", "the number of the last event that the client has"),
    supported("include_obfuscation", "the padding is as it was when the response ran"),
)
"""OpenAI: `ResponseRetrieveParams`."""

INPUT_ITEMS_QUERY: tuple[Covered, ...] = (
    supported("after", "the id of the last item of the page before"),
    ignored("include", _NO_INCLUDE),
    supported("limit", "1 to 100, 20 unless said"),
    supported("order", "`asc` or `desc`, `desc` unless said"),
)
"""OpenAI: `InputItemListParams`."""

INPUT_TOKENS: tuple[Covered, ...] = (
    supported("conversation", "its items count"),
    supported("input", "a text or items"),
    supported("instructions", "they count"),
    supported("model", "whose tokens are counted"),
    passed("parallel_tool_calls", "to backends that count"),
    ignored("personality", "OpenAI's own prompts"),
    supported("previous_response_id", "its history counts"),
    passed("reasoning", "to backends that count"),
    passed("text", "to backends that count"),
    passed("tool_choice", "to backends that count"),
    supported("tools", "their definitions count"),
    ignored("truncation", "all is counted"),
)
"""OpenAI: `InputTokenCountParams`."""

COMPACT: tuple[Covered, ...] = (
    ignored("image", "no images are made here"),
    supported("input", "a text or items, after those of the history"),
    supported("instructions", "what the summary is to keep in mind"),
    supported("model", "the model that writes the summary"),
    supported("previous_response_id", "its history is made short"),
    passed("prompt_cache_key", "for the backend's cache"),
    ignored("prompt_cache_options", "caches are the backend's own"),
    ignored("prompt_cache_retention", "caches are the backend's own"),
    ignored("service_tier", "the backend's default holds"),
)
"""OpenAI: `ResponseCompactParams`."""

CHECK: tuple[Covered, ...] = (
    supported("application_id", "whose policy applies; without it, the default one"),
    supported("check_type", "`input`, `tool_output` or `output`"),
    supported("context", "an object that goes to the guard; no provider of ours reads it"),
    supported("input", "a text, or items, all text of which is checked"),
)
"""`POST /v1/check`, which OpenAI does not have."""

CONVERSATION_CREATE: tuple[Covered, ...] = (
    supported("items", "up to 20"),
    supported("metadata", "16 pairs, keys of 64 and values of 512 characters"),
)
"""OpenAI: `ConversationCreateParams`."""

CONVERSATION_UPDATE: tuple[Covered, ...] = (supported("metadata", "takes the place of the old"),)
"""OpenAI: `ConversationUpdateParams`."""

ITEMS_CREATE: tuple[Covered, ...] = (supported("items", "1 to 20"),)
"""OpenAI: `ItemCreateParams`, its body."""

ITEMS_CREATE_QUERY: tuple[Covered, ...] = (ignored("include", _NO_INCLUDE),)
"""OpenAI: `ItemCreateParams`, its query."""

ITEMS_QUERY: tuple[Covered, ...] = INPUT_ITEMS_QUERY
"""OpenAI: `ItemListParams`."""

ITEM_QUERY: tuple[Covered, ...] = (ignored("include", _NO_INCLUDE),)
"""OpenAI: `ItemRetrieveParams`."""

SOCKET_CREATE: tuple[Covered, ...] = (
    supported("generate", "false: warms up, answers with an empty response"),
    supported("stream_id", "names a lane: lanes run side by side, up to 32"),
)
"""What `response.create` has beyond the fields of `POST /v1/responses`."""
