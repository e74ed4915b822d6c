"""Errors of roles, scopes and administration."""

from typing import Final

from turnwire_contracts.errors.error_code import ErrorCode

_INVALID: Final = "invalid_request_error"
_NOT_FOUND: Final = "not_found_error"
_FORBIDDEN: Final = "permission_error"

OF_ADMINS: Final = (
    ErrorCode(
        code="api_key_expired",
        status=401,
        type=_INVALID,
        message="This API key expired on {expired_at}. Make a new one: POST /v1/admin/keys, or "
        "`turnwire keys create` where Turnwire runs.",
        what="the API key was good, and its time is over",
        way_out="make a new one ([identity](identity.md#api-keys))",
    ),
    ErrorCode(
        code="insufficient_scope",
        status=403,
        type=_FORBIDDEN,
        message="This needs an API key with the scope `{needed}`; this key has: {scopes}. Use "
        "another key, or make one with that scope: POST /v1/admin/keys, or `turnwire keys create`.",
        what="the API key lacks the scope that the route needs",
        way_out="use a key that has it ([identity](identity.md#scopes))",
    ),
    ErrorCode(
        code="operator_required",
        status=403,
        type=_FORBIDDEN,
        message="Only an operator may {what}. An operator's key is made where Turnwire runs: "
        "turnwire keys create --role operator",
        what="what concerns the deployment or all tenants is for operators",
        way_out="use an operator's key ([identity](identity.md#operators))",
    ),
    ErrorCode(
        code="tenant_read_only",
        status=403,
        type=_FORBIDDEN,
        message="An operator may read what was said in another tenant, and change nothing there: "
        "`X-Turnwire-Tenant` is for GET. To change something, use a key of that tenant.",
        what="an operator wants to change what is in another tenant",
        way_out="use a key of that tenant",
    ),
    ErrorCode(
        code="api_key_not_found",
        status=404,
        type=_NOT_FOUND,
        message="There is no API key '{key_id}'. Those that there are: GET /v1/admin/keys.",
        what="no such API key, or another tenant's",
        way_out="`GET /v1/admin/keys`",
    ),
    ErrorCode(
        code="dead_letter_not_found",
        status=404,
        type=_NOT_FOUND,
        message="There is no dead letter {number}. Those that there are: GET "
        "/v1/admin/system/dead.",
        what="no such dead letter",
        way_out="`GET /v1/admin/system/dead`",
    ),
    ErrorCode(
        code="erasure_not_found",
        status=404,
        type=_NOT_FOUND,
        message="There is no erasure '{erasure_id}'. Those that there are: GET /v1/admin/erasures.",
        what="no such erasure, or another tenant's",
        way_out="`GET /v1/admin/erasures`",
    ),
    ErrorCode(
        code="key_pepper_missing",
        status=503,
        type="server_error",
        message="This gateway has no TURNWIRE_KEY_PEPPER, so it can neither make nor read API "
        "keys. Give all gateways the same: openssl rand -hex 32",
        what="the gateway does not know what API keys are hashed with",
        way_out="set `TURNWIRE_KEY_PEPPER` for all gateways",
    ),
)
