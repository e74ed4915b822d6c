"""Every metric of Turnwire: its name, what it tells, who exposes it, and its labels.

Names follow Prometheus; `gen_ai_*` and `mcp_*` are the classic form of OpenTelemetry's GenAI and
MCP conventions (v0.1.0). Labels have few values, from lists; no id, no tenant, no user is one.
docs/metrics.md is written from here, and every metric stands on a panel in deploy/observability.
"""

from typing import Final

from turnwire_chassis.telemetry.metric import EVERY, counter, families_in, gauge, histogram

_GATEWAY: Final = ("gateway",)
_ORCHESTRATOR: Final = ("orchestrator",)
_TOOL_RUNNER: Final = ("tool-runner",)
_GUARD: Final = ("guard",)
_STORE: Final = ("store",)
_ASKERS: Final = ("gateway", "orchestrator")
_ANSWERERS: Final = ("store", "guard", "tool-runner")
_WRITERS: Final = ("gateway", "orchestrator", "store")

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96,
                81.92)  # fmt: skip
_TURN: Final = (*_SLOW, 300, 1800, 3600)
_DELAY: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

# The HTTP API.
HTTP_REQUESTS = counter(
    "turnwire_http_requests_total",
    "HTTP requests that were answered, by route template; `_unknown`: no route.",
    _GATEWAY, ("method", "route", "status"),
)  # fmt: skip
HTTP_DURATION = histogram(
    "turnwire_http_request_duration_seconds",
    "From a request's arrival until its answer begins; a plain answer is then complete.",
    _GATEWAY, ("method", "route"), _TURN,
)  # fmt: skip
HTTP_OPEN = gauge(
    "turnwire_http_requests_in_progress", "HTTP requests and WebSockets that are open.", _GATEWAY
)
HTTP_ERRORS = counter(
    "turnwire_http_errors_total",
    "Requests that the gateway itself refused, by the error's code.",
    _GATEWAY, ("code",),
)  # fmt: skip
LIMIT_REFUSALS = counter(
    "turnwire_limit_refusals_total",
    "Requests that were refused because a limit is reached, by the kind of limit.",
    _GATEWAY, ("limit",),
)  # fmt: skip
STREAMS_OPEN = gauge("turnwire_streams_open", "Readers of frames: SSE and WebSocket.", _GATEWAY)
STREAMS = counter(
    "turnwire_streams_total",
    "Readers of frames that have left: at the end of the stream, or before it.",
    _GATEWAY, ("end",),
)  # fmt: skip
FIRST_FRAME = histogram(
    "turnwire_stream_first_frame_seconds",
    "From a request's arrival until the first bytes of its stream leave.",
    _GATEWAY, ("method",), _SLOW,
)  # fmt: skip
FRAME_INTERVAL = histogram(
    "turnwire_stream_frame_interval_seconds",
    "Mean time between the writes of one stream, read when it ends.",
    _GATEWAY, (), _FAST,
)  # fmt: skip
LONGEST_PAUSE = histogram(
    "turnwire_stream_longest_pause_seconds",
    "Longest time between two writes of one stream, read when it ends.",
    _GATEWAY, (), _SLOW,
)  # fmt: skip
FRAMES_SENT = counter(
    "turnwire_frames_sent_total",
    "Frames that readers were sent: as they came (`live`), back-filled from the broker's memory "
    "(`kept`), or from the log of a turn that had ended (`log`).",
    _GATEWAY, ("source",),
)  # fmt: skip

# The log and the broker.
APPENDS = histogram(
    "turnwire_log_append_duration_seconds",
    "Time until the broker confirmed an event, by how that ended.",
    _WRITERS, ("outcome",), _FAST,
)  # fmt: skip
BROKER_CONNECTED = gauge(
    "turnwire_broker_connected", "1 while this process is connected to the broker.", EVERY
)
BROKER_RECONNECTS = counter(
    "turnwire_broker_reconnects_total", "Connections to the broker that were found again.", EVERY
)
BROKER_DROPPED = counter(
    "turnwire_broker_dropped_total",
    "Times that this process read too slowly and messages were dropped.",
    EVERY,
)
QUESTIONS = histogram(
    "turnwire_question_duration_seconds",
    "Time to answer a question of another service, by its subject.",
    _ANSWERERS, ("question", "outcome"), _FAST,
)  # fmt: skip
UNANSWERED = counter(
    "turnwire_questions_unanswered_total",
    "Questions to another service that no process of it took, or answered in time.",
    _ASKERS, ("question",),
)  # fmt: skip

# Turns.
TURNS = counter(
    "turnwire_turns_total",
    "Turns that were closed here, by status and by the code of what went wrong.",
    _ORCHESTRATOR, ("lane", "status", "code"),
)  # fmt: skip
TURN_DURATION = histogram(
    "turnwire_turn_duration_seconds", "From `requested` to `closed`.",
    _ORCHESTRATOR, ("lane",), _TURN,
)  # fmt: skip
QUEUE_WAIT = histogram(
    "turnwire_turn_queue_wait_seconds", "From `requested` until a first owner begins.",
    _ORCHESTRATOR, ("lane",), _TURN,
)  # fmt: skip
TURNS_OPEN = gauge(
    "turnwire_turns_in_progress", "Turns that this process drives now.", _ORCHESTRATOR, ("lane",)
)
PLACES = gauge(
    "turnwire_turn_places", "Turns that this process may drive at once.", _ORCHESTRATOR, ("lane",)
)
INBOX_LAG = gauge(
    "turnwire_inbox_lag_messages", "Requested turns that no orchestrator has been given yet.",
    _ORCHESTRATOR, ("lane",),
)  # fmt: skip
INBOX_UNCONFIRMED = gauge(
    "turnwire_inbox_unconfirmed_messages", "Turns that were given out and have not ended.",
    _ORCHESTRATOR, ("lane",),
)  # fmt: skip
REDELIVERIES = counter(
    "turnwire_turn_redeliveries_total", "Turns that were given out once more.",
    _ORCHESTRATOR, ("lane",),
)  # fmt: skip
TAKEOVERS = counter(
    "turnwire_turn_takeovers_total", "Turns that were claimed from a lost owner.", _ORCHESTRATOR
)
APPEND_RETRIES = counter(
    "turnwire_append_retries_total", "Appends of owners that had to be tried again.", _ORCHESTRATOR
)
FRAMES_PUBLISHED = counter(
    "turnwire_frames_published_total", "Frames that owners published.", _ORCHESTRATOR
)
HISTORIES = histogram(
    "turnwire_history_duration_seconds",
    "Time to read what a turn continues: from memory, or from the store.",
    _ORCHESTRATOR, ("source",), _FAST,
)  # fmt: skip

# Inference, by the conventions of OpenTelemetry.
_MODEL = ("gen_ai_request_model",)
INFERENCE = histogram(
    "gen_ai_client_inference_duration_seconds",
    "Time of one sample at the backend, from the request to the last byte.",
    _ORCHESTRATOR, (*_MODEL, "server", "error_type"), _TURN,
)  # fmt: skip
FIRST_CHUNK = histogram(
    "gen_ai_client_inference_time_to_first_chunk_seconds",
    "Time until the backend's first event.",
    _ORCHESTRATOR, _MODEL, _SLOW,
)  # fmt: skip
PER_CHUNK = histogram(
    "gen_ai_client_inference_time_per_output_chunk_seconds",
    "Mean time between the backend's events, read when the sample ends.",
    _ORCHESTRATOR, _MODEL, _FAST,
)  # fmt: skip
INPUT_TOKENS = counter(
    "gen_ai_client_inference_usage_input_tokens_total", "Tokens that models read.",
    _ORCHESTRATOR, _MODEL, "tokens",
)  # fmt: skip
OUTPUT_TOKENS = counter(
    "gen_ai_client_inference_usage_output_tokens_total", "Tokens that models wrote.",
    _ORCHESTRATOR, _MODEL, "tokens",
)  # fmt: skip
CACHED_TOKENS = counter(
    "gen_ai_client_inference_usage_cache_read_input_tokens_total",
    "Tokens of the input that the backend had in its cache.",
    _ORCHESTRATOR, _MODEL, "tokens",
)  # fmt: skip
REASONING_TOKENS = counter(
    "gen_ai_client_inference_usage_reasoning_output_tokens_total",
    "Tokens of the output that are reasoning.",
    _ORCHESTRATOR, _MODEL, "tokens",
)  # fmt: skip

# The guard.
GUARD_CHECKS = counter(
    "turnwire_guard_checks_total", "Checks, by what is checked and by the verdict.",
    _GUARD, ("check_type", "verdict"),
)  # fmt: skip
GUARD_DURATION = histogram(
    "turnwire_guard_check_duration_seconds", "Time of one check, waiting included.",
    _GUARD, ("check_type",), _FAST,
)  # fmt: skip
GUARD_STAGES = histogram(
    "turnwire_guard_stage_duration_seconds", "Time of one stage, by provider and by what it found.",
    _GUARD, ("provider", "verdict"), _FAST,
)  # fmt: skip

# Tools.
TOOL_CALLS = counter(
    "turnwire_tool_calls_total",
    "Calls of tools, by server (`url`: one that a client named) and by how they ended.",
    _TOOL_RUNNER, ("server", "outcome"),
)  # fmt: skip
TOOL_CALLS_OPEN = gauge(
    "turnwire_tool_calls_in_progress", "Calls that this process works on, or that wait in it.",
    _TOOL_RUNNER,
)  # fmt: skip
MCP_DURATION = histogram(
    "mcp_client_operation_duration_seconds",
    "Time of one request to an MCP server, opening a session included.",
    _TOOL_RUNNER, ("mcp_method_name", "server", "error_type"), _SLOW,
)  # fmt: skip

# Webhooks.
WEBHOOKS = counter(
    "turnwire_webhooks_total",
    "Attempts at events for webhooks, by what came of them (`dead`: given up; `dropped`: the API "
    "key has no webhook any more).",
    _TOOL_RUNNER, ("outcome",),
)  # fmt: skip
WEBHOOK_ATTEMPTS = histogram(
    "turnwire_webhook_attempt_duration_seconds", "Time until a receiver answered, or did not.",
    _TOOL_RUNNER, (), _SLOW,
)  # fmt: skip
WEBHOOKS_WAITING = gauge(
    "turnwire_webhooks_waiting", "Events that wait for their first attempt, or the next.",
    _TOOL_RUNNER,
)  # fmt: skip

# The views.
PROJECTION_LAG = gauge(
    "turnwire_projection_lag_messages", "Events of the log that the views do not have yet.", _STORE
)
PROJECTION_CHECKPOINT = gauge(
    "turnwire_projection_checkpoint", "Sequence of the log up to which the views are told.", _STORE
)
PROJECTION_GENERATION = gauge(
    "turnwire_projection_generation", "Generation of the views that is written.", _STORE
)
PROJECTING = gauge(
    "turnwire_projection_active", "1 in the one store that writes the views.", _STORE
)
PROJECTION_BATCH = histogram(
    "turnwire_projection_batch_duration_seconds", "Time to write one batch of events.",
    _STORE, (), _FAST,
)  # fmt: skip
PROJECTED = counter(
    "turnwire_projected_events_total", "Events of the log that were projected.", _STORE
)
PROJECTION_FAULTS = counter(
    "turnwire_projection_interruptions_total",
    "Times that the projection had to begin again after its checkpoint.",
    _STORE,
)
DEAD_LETTERS = counter(
    "turnwire_dead_letters_total", "Events that have no effect on the views.", _STORE
)

# Every process.
LOOP_DELAY = histogram(
    "turnwire_event_loop_delay_seconds",
    "How late the event loop is with what is due, read twice a second.",
    EVERY, (), _DELAY,
)  # fmt: skip
LOG_LINES = counter(
    "turnwire_log_lines_total", "Lines that were logged as warnings or worse.", EVERY, ("level",)
)
SPANS = counter(
    "turnwire_trace_spans_total", "Spans that were handed to the collector, or could not be.",
    EVERY, ("outcome",),
)  # fmt: skip
BUILD = gauge(
    "turnwire_build_info", "1; its labels say what runs.", EVERY, ("service", "version", "python")
)

FAMILIES: Final = families_in(globals().values())
