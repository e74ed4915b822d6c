"""The fields of `POST /v1/responses`; their words are the descriptions in the OpenAPI document."""

from turnwire_gateway.openapi.coverage.verdict import Covered, ignored, passed, supported

CREATE: tuple[Covered, ...] = (
    supported("background", "202 at once; poll, stream or cancel it by its id"),
    supported("conversation", "an id or `{id}`; excludes `previous_response_id`"),
    supported("include", "encrypted reasoning and logprobs; other members have no effect"),
    supported("input", "a text or items; what the history knows already is dropped"),
    supported("instructions", "inherited if absent or null; an empty text clears"),
    supported("max_output_tokens", "1 or more"),
    supported("metadata", "16 pairs, keys of 64 and values of 512 characters; stays here"),
    supported("model", "one of `GET /v1/models`"),
    supported("parallel_tool_calls", "whether the model may call several tools at once"),
    supported("previous_response_id", "continues a stored response; chains branch freely"),
    supported("prompt", "a template that the operator keeps: id, version, variables"),
    supported("store", "true unless said; false leaves nothing behind"),
    supported("stream", "server-sent events, which can be read again from any point"),
    supported("stream_options", "`include_obfuscation: false` leaves the padding out"),
    supported("temperature", "0 to 2"),
    supported(
        "text", "structured output and verbosity; the shape of chat completions is understood"
    ),
    supported("tool_choice", "`none`, `auto`, `required`, or a tool that is offered"),
    supported("tools", "functions are checked; other types: see the tools below"),
    supported("top_logprobs", "0 to 20"),
    supported("top_p", "0 to 1"),
    supported("truncation", "`auto` drops the oldest turns, `disabled` refuses what is too long"),
    passed("prompt_cache_key", "echoed too"),
    passed("reasoning", "effort and summary; echoed too"),
    passed("safety_identifier", "echoed too"),
    passed("service_tier", "the echo says what the backend decided"),
    passed("user", "echoed too"),
    ignored("access_programs", "programs of OpenAI's platform"),
    ignored("background_options", "background turns start as soon as there is room"),
    ignored("context_management", "compact when you like: `POST /v1/responses/compact`"),
    ignored("image", "no images are made here"),
    ignored("max_tool_calls", "checked and echoed; it counts tools that the server runs"),
    ignored("moderation", "the operator's guard decides, not the request"),
    ignored("prompt_cache_options", "caches are the backend's own"),
    ignored("prompt_cache_retention", "caches are the backend's own"),
)
"""OpenAI: `ResponseCreateParams`."""

EXTENSIONS: tuple[Covered, ...] = (
    supported("presence_penalty", "-2 to 2"),
    supported("frequency_penalty", "-2 to 2"),
    supported("max_tokens", "chat completions' word for `max_output_tokens`"),
    supported("max_completion_tokens", "chat completions' word for `max_output_tokens`"),
    supported("response_format", "chat completions' word for `text.format`"),
    supported("reasoning_effort", "chat completions' word for `reasoning.effort`"),
    supported("verbosity", "chat completions' word for `text.verbosity`"),
    supported("functions", "chat completions' older word for `tools`"),
    supported("function_call", "chat completions' older word for `tool_choice`"),
    passed("stop", "texts that end the answer"),
    passed("seed", "for backends that know it"),
    passed("top_k", "for backends that know it"),
    passed("min_p", "for backends that know it"),
    passed("repetition_penalty", "for backends that know it"),
    passed("logit_bias", "for backends that know it"),
    passed("chat_template_kwargs", "for backends that know it"),
)
"""Fields that OpenAI's Responses do not have: Open Responses, chat completions, vLLM, llama.cpp."""
