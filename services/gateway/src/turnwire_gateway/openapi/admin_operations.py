"""Operations of admins in their tenant, and of operators in all."""

from typing import Final

from turnwire_gateway.api.requests.admin_requests import KeyCreate
from turnwire_gateway.api.requests.input_shapes import ABSENT
from turnwire_gateway.openapi import admin_answers as answers
from turnwire_gateway.openapi import admin_parameters as of_admins
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
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
