"""The names of all settings of all services, so that each service can tell a misspelt one.

`tests/architecture` keeps this list equal to the settings classes.
"""

import re
from typing import Final

SETTING_NAMES = frozenset(
    {
        "TURNWIRE_ALLOWED_HOSTS",
        "TURNWIRE_ALLOW_PRIVATE_URLS",
        "TURNWIRE_BACKENDS",
        "TURNWIRE_BACKEND_API",
        "TURNWIRE_BACKEND_API_KEY",
        "TURNWIRE_BACKEND_CONNECT_TIMEOUT_S",
        "TURNWIRE_BACKEND_IDLE_TIMEOUT_S",
        "TURNWIRE_BACKEND_URL",
        "TURNWIRE_BACKGROUND_TIMEOUT_S",
        "TURNWIRE_CONSOLE",
        "TURNWIRE_CONSOLE_OIDC_CLIENT_ID",
        "TURNWIRE_CONSOLE_OIDC_CLIENT_SECRET",
        "TURNWIRE_CONSOLE_OIDC_SCOPE",
        "TURNWIRE_CONSOLE_SESSION_HOURS",
        "TURNWIRE_CONSOLE_URL",
        "TURNWIRE_CORS_ORIGINS",
        "TURNWIRE_DATA_DIR",
        "TURNWIRE_DEFAULT_INSTRUCTIONS",
        "TURNWIRE_DRAIN_S",
        "TURNWIRE_ENCRYPT_LOG",
        "TURNWIRE_GUARD_CACHE_ENTRIES",
        "TURNWIRE_GUARD_MAX_CHECKS",
        "TURNWIRE_GUARD_MAX_WAITING",
        "TURNWIRE_GUARD_POLICY",
        "TURNWIRE_GUARD_TIMEOUT_S",
        "TURNWIRE_HEALTH_HOST",
        "TURNWIRE_HEALTH_PORT",
        "TURNWIRE_HISTORY_CACHE_BYTES",
        "TURNWIRE_HOST",
        "TURNWIRE_INHERIT_INSTRUCTIONS",
        "TURNWIRE_KEY_PEPPER",
        "TURNWIRE_LIMITS",
        "TURNWIRE_LOG_LEVEL",
        "TURNWIRE_MAX_BACKGROUND_TURNS",
        "TURNWIRE_MAX_BODY_BYTES",
        "TURNWIRE_MAX_PARALLEL_CALLS",
        "TURNWIRE_MAX_QUEUE_S",
        "TURNWIRE_MAX_RESTART_PAUSE_S",
        "TURNWIRE_MAX_TOOL_CALLS",
        "TURNWIRE_MAX_TOOL_CALLS_PER_SERVER",
        "TURNWIRE_MAX_TOOL_CALLS_PER_TENANT",
        "TURNWIRE_MAX_TOOL_OUTPUT_BYTES",
        "TURNWIRE_MAX_TOOL_ROUNDS",
        "TURNWIRE_MAX_TOOL_SESSIONS",
        "TURNWIRE_MAX_TURNS",
        "TURNWIRE_MAX_WEBHOOKS",
        "TURNWIRE_MAX_WEBHOOKS_PER_HOST",
        "TURNWIRE_MAX_WEBHOOKS_PER_TENANT",
        "TURNWIRE_MCP_SERVERS",
        "TURNWIRE_METRICS",
        "TURNWIRE_MONGODB_URL",
        "TURNWIRE_NATS_CA",
        "TURNWIRE_NATS_CREDENTIALS",
        "TURNWIRE_NATS_NKEY_SEED_FILE",
        "TURNWIRE_NATS_URL",
        "TURNWIRE_OIDC_AUDIENCE",
        "TURNWIRE_OIDC_ISSUER",
        "TURNWIRE_OIDC_JWKS_URL",
        "TURNWIRE_OIDC_ROLES_CLAIM",
        "TURNWIRE_OIDC_TENANT",
        "TURNWIRE_OIDC_TENANT_CLAIM",
        "TURNWIRE_OIDC_USER_CLAIM",
        "TURNWIRE_OUTPUT_MAX_BYTES",
        "TURNWIRE_PORT",
        "TURNWIRE_PROMPTS",
        "TURNWIRE_RETENTION_DAYS",
        "TURNWIRE_REUSE_PORT",
        "TURNWIRE_SCALE",
        "TURNWIRE_SEAL_KEY",
        "TURNWIRE_STORAGE_DIR",
        "TURNWIRE_STORAGE_RESERVE_BYTES",
        "TURNWIRE_STREAM_GRACE_S",
        "TURNWIRE_STREAM_REPLICAS",
        "TURNWIRE_TOOL_BREAKER_FAILURES",
        "TURNWIRE_TOOL_BREAKER_OPEN_S",
        "TURNWIRE_TOOL_CALL_LIMIT_S",
        "TURNWIRE_TOOL_CALL_TIMEOUT_S",
        "TURNWIRE_TOOL_LIST_MAX_AGE_S",
        "TURNWIRE_TOOL_LIST_TIMEOUT_S",
        "TURNWIRE_TOOL_SESSION_IDLE_S",
        "TURNWIRE_TRACE_CONTENT",
        "TURNWIRE_TURN_LEASE_S",
        "TURNWIRE_TURN_TIMEOUT_S",
        "TURNWIRE_VIEW_KEY",
        "TURNWIRE_WEBHOOK_GIVE_UP_S",
        "TURNWIRE_WEBHOOK_TIMEOUT_S",
    }
)

CLIENT_NAMES = frozenset(
    {
        *("TURNWIRE_URL", "TURNWIRE_MODEL", "TURNWIRE_TOKEN"),
        *("TURNWIRE_API_KEY", "TURNWIRE_CONTEXT"),
    }
)
"""What the examples, the client and its commands are told; no service reads them."""

TEST_PREFIX = "TURNWIRE_TEST_"
"""What the tests are told: servers to use instead of their own."""

_LINK_NAME: Final = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)"
    r"|\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
    r"|\w+_ENV_\w+",
    re.IGNORECASE,
)
_LINK_ADDRESS: Final = re.compile(r"\s*(tcp|udp|sctp)://", re.IGNORECASE)
_LINK_ALIAS: Final = re.compile(r"/[^/\s]+/[^/\s]+")


def is_service_link(name: str, value: str) -> bool:
    """Tell whether a variable describes a service beside us and is no setting, for all its prefix.

    Kubernetes ("Service", "Discovering services"): a Service `turnwire-health` puts
    `TURNWIRE_HEALTH_PORT=tcp://10.0.0.7:8080` into every pod of its namespace. Docker ("Legacy
    container links"): `--link` does likewise, and adds `…_NAME=/web/db` and `…_ENV_…`.
    """
    if _LINK_NAME.fullmatch(name):
        return True
    # These could be settings: what they say decides.
    upper = name.upper()
    return (upper.endswith("_PORT") and _LINK_ADDRESS.match(value) is not None) or (
        upper.endswith("_NAME") and _LINK_ALIAS.fullmatch(value) is not None
    )
