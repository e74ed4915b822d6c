"""The names of all settings of all services, so that each service can tell a misspelt one.

`tests/architecture` keeps this list equal to the settings classes.
"""

SETTING_NAMES = frozenset(
    {
        "TURNWIRE_BACKENDS",
        "TURNWIRE_BACKEND_API",
        "TURNWIRE_BACKEND_API_KEY",
        "TURNWIRE_BACKEND_CONNECT_TIMEOUT_S",
        "TURNWIRE_BACKEND_IDLE_TIMEOUT_S",
        "TURNWIRE_BACKEND_URL",
        "TURNWIRE_BACKGROUND_TIMEOUT_S",
        "TURNWIRE_DATA_DIR",
        "TURNWIRE_DEFAULT_INSTRUCTIONS",
        "TURNWIRE_GUARD_POLICY",
        "TURNWIRE_GUARD_TIMEOUT_S",
        "TURNWIRE_HEALTH_HOST",
        "TURNWIRE_HEALTH_PORT",
        "TURNWIRE_HISTORY_CACHE_BYTES",
        "TURNWIRE_HOST",
        "TURNWIRE_INHERIT_INSTRUCTIONS",
        "TURNWIRE_LOG_LEVEL",
        "TURNWIRE_MAX_BACKGROUND_TURNS",
        "TURNWIRE_MAX_BODY_BYTES",
        "TURNWIRE_MAX_TURNS",
        "TURNWIRE_MONGODB_URL",
        "TURNWIRE_NATS_URL",
        "TURNWIRE_PORT",
        "TURNWIRE_PROMPTS",
        "TURNWIRE_STREAM_GRACE_S",
        "TURNWIRE_STREAM_REPLICAS",
        "TURNWIRE_MAX_TOOL_ROUNDS",
        "TURNWIRE_MAX_PARALLEL_CALLS",
        "TURNWIRE_TOOL_CALL_TIMEOUT_S",
        "TURNWIRE_TOOL_LIST_TIMEOUT_S",
        "TURNWIRE_TURN_TIMEOUT_S",
    }
)

CLIENT_NAMES = frozenset({"TURNWIRE_URL", "TURNWIRE_MODEL", "TURNWIRE_TOKEN"})
"""What the examples are told; no service reads them."""

TEST_PREFIX = "TURNWIRE_TEST_"
"""What the tests are told: servers to use instead of their own."""
