"""Create requests as the gateway reads them: taken, or refused by naming the place."""

from typing import Any

import orjson
import pytest

from turnwire_contracts.events import Requested
from turnwire_gateway.admission.admission import Origin
from turnwire_gateway.api.request_context import object_of
from turnwire_gateway.api.requests.validation import Rules, requested
from turnwire_gateway.errors import ApiError
from turnwire_testing.examples import AT, OWNER, RESPONSE_ID, TENANT

ORIGIN = Origin(TENANT, OWNER, "req_1", RESPONSE_ID, AT)


def taken(**fields: Any) -> Requested:
    """Send a request that is taken."""
    body = orjson.dumps({"model": "m", "input": "Hello?", **fields})
    return requested(object_of(body), ORIGIN, Rules(screen=False, prompts={}))


def refused(**fields: Any) -> tuple[str | None, str]:
    """Send a request that is refused; gives the place and the words."""
    with pytest.raises(ApiError) as raised:
        taken(**fields)
    failure = raised.value.failure
    assert (failure.http_status, failure.type) == (400, "invalid_request_error")
    assert failure.param is not None
    assert failure.param in failure.message
    return failure.param, failure.message
