"""Operations of admins in their tenant, and of operators in all."""

from typing import Final

from turnwire_gateway.api.requests.admin_requests import ErasureCreate, KeyCreate
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.api.requests.other_requests import CheckRequest
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.admin import admin_answers as answers
from turnwire_gateway.openapi.admin import admin_parameters as of_admins
from turnwire_gateway.openapi.admin import system_answers as of_system
from turnwire_gateway.openapi.answers import CheckResult
from turnwire_gateway.openapi.operation import operation

_KEYS: Final = "/v1/admin/keys"
_SEEN: Final = ("admin_required", "operator_required", "invalid_value")
_NOTED: Final = ("audit_log_unavailable", "storage_full")


@operation(f"GET {_KEYS}", answers.ApiKeyList, *_SEEN, *_NOTED, *errors.STORE)
def list_api_keys(  # noqa: PLR0913 -- each is a parameter of the route
    *,
    tenant: of_admins.Tenant = ABSENT,
    user: of_admins.User = ABSENT,
    status: of_admins.KeyStatus = ABSENT,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: given.After = ABSENT,
) -> None:
    """List API keys, without their secrets.

    Revoked ones stay in the list. That it was read is noted.
    """


@operation(
    f"POST {_KEYS}",
    answers.NewApiKey,
    *(*_SEEN, *_NOTED, *errors.BODY, *errors.STORE, "key_pepper_missing"),
)
def create_api_key(body: KeyCreate) -> None:
    """Make an API key; this answer alone has the secret.

    An admin makes keys of their own tenant, an operator of all, and of operators. The first key
    ends the time without keys for good. All gateways know it within a second.
    """


@operation(
    f"DELETE {_KEYS}/{{key_id}}",
    answers.RevokedApiKey,
    *(*_SEEN, *_NOTED, *errors.STORE, "api_key_not_found"),
)
def revoke_api_key(key_id: of_admins.KeyId) -> None:
    """Make an API key useless, for good.

    All gateways refuse it within a second. Doing it again changes nothing.
    """


@operation("GET /v1/admin/limits", answers.LimitList, *_SEEN, *errors.LOG, *errors.LIMITS[1:])
def list_limits(tenant: of_admins.Tenant = ABSENT) -> None:
    """Read what tenants and keys may use, and what of it they use now.

    An operator who names no tenant is shown all that have keys or limits of their own.
    """


@operation("GET /v1/admin/audit", answers.AuditEntryList, *_SEEN, *_NOTED, *errors.STORE)
def list_audit_events(  # noqa: PLR0913 -- each is a parameter of the route
    *,
    tenant: of_admins.Tenant = ABSENT,
    kind: of_admins.AuditKind = ABSENT,
    user: of_admins.User = ABSENT,
    since: of_admins.Since = 0,
    until: of_admins.Until = ABSENT,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: of_admins.AfterAct = ABSENT,
) -> None:
    """Read who did what only admins and operators may.

    That it was read is noted in it. One page looks at 20,000 acts at most.
    """


_ERASURES: Final = "/v1/admin/erasures"


@operation(f"GET {_ERASURES}", answers.ErasureList, *_SEEN, *_NOTED, *errors.STORE)
def list_erasures(
    *,
    tenant: of_admins.Tenant = ABSENT,
    limit: given.Limit = given.DEFAULT_LIMIT,
    order: given.Order = "desc",
    after: given.After = ABSENT,
) -> None:
    """List erasures, also those that were made by command. That it was read is noted."""


@operation(
    f"POST {_ERASURES}",
    answers.ErasureAnswer,
    *(*_SEEN, *_NOTED, *errors.BODY, *errors.STORE),
    answers={202: "The erasure, which has begun.", 200: "With `dry_run`: what there is to erase."},
)
def create_erasure(body: ErasureCreate) -> None:
    """Erase all that a tenant, or one of its users, has, for ever; or say what that would be.

    It goes on in the background, whatever dies meanwhile, until nothing is left. Turns that run are
    cancelled.
    """


@operation(
    f"GET {_ERASURES}/{{erasure_id}}",
    answers.ErasureEntry,
    *(*_SEEN, *_NOTED, *errors.STORE, "erasure_not_found"),
)
def retrieve_erasure(erasure_id: of_admins.ErasureId, tenant: of_admins.Tenant = ABSENT) -> None:
    """Read what became of an erasure. That it was read is noted."""


_SYSTEM: Final = "/v1/admin/system"
_OPERATORS: Final = ("operator_required", "invalid_value")


@operation(f"GET {_SYSTEM}", of_system.System, "operator_required")
def read_system() -> None:
    """Read how the system is: its processes, streams, queues, projection and dead letters.

    For operators. A part that does not answer is named in `problems`; the others are told.
    """


@operation(f"GET {_SYSTEM}/dead", of_system.DeadLetterList, *_OPERATORS, *errors.STORE)
def list_dead_letters(
    *, limit: given.Limit = given.DEFAULT_LIMIT, after: of_admins.AfterLetter = 0
) -> None:
    """List dead letters: entries of the log without effect on the views. For operators."""


@operation(
    f"POST {_SYSTEM}/dead/{{number}}/retry",
    of_system.RetriedDeadLetter,
    *("operator_required", "dead_letter_not_found", *_NOTED, *errors.STORE, *errors.LOG),
)
def retry_dead_letter(number: of_admins.LetterNumber) -> None:
    """Have an entry projected and, where it is a request, delivered again. For operators.

    Doing it twice is the same as once.
    """


@operation("GET /v1/admin/guard", of_system.PolicyInForce, "operator_required", "guard_unavailable")
def read_guard_policy() -> None:
    """Read which policy the guard judges by, without the settings of its stages. For operators."""


@operation(
    "POST /v1/admin/guard/test",
    CheckResult,
    *("operator_required", *_NOTED, *errors.BODY, *errors.LIMITS, "guard_unavailable"),
)
def test_guard_policy(body: CheckRequest) -> None:
    """Try a text against the policy in force. For operators.

    The verdict is that of `POST /v1/check`. That it was tried is noted, not what.
    """


@operation(
    "GET /v1/admin/tool_servers",
    of_system.ToolServerList,
    *("operator_required", "tool_runner_unavailable"),
)
def list_tool_servers() -> None:
    """List the MCP servers of TURNWIRE_MCP_SERVERS, asked for their tools now. For operators."""


@operation(
    "GET /v1/admin/backends", of_system.BackendList, "operator_required", "orchestrator_unavailable"
)
def list_backends() -> None:
    """List the inference servers, looked at now: models, API, health. For operators."""
