"""Whether a client may repeat a request that failed: what the catalogue says is what HTTP says."""

import pytest
from msgspec.structs import replace

from turnwire_contracts.errors.catalogue import CATALOGUE
from turnwire_contracts.errors.error_code import ErrorCode
from turnwire_contracts.events import Failure
from turnwire_gateway.api.error_responses import error_response
from turnwire_gateway.errors import ApiError


def failed(row: ErrorCode) -> Failure:
    """Make an error of a row, with a text instead of its message."""
    return row.failure("It failed.")


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_answer_of_5xx_says_not_to_retry_where_a_repeated_request_helps_nothing(
    code: str,
) -> None:
    row = CATALOGUE[code]
    headers = error_response(ApiError(failed(row))).headers
    promises = row.retry_after_s is not None
    told_not_to = row.status >= 500 and not promises and not row.may_be_repeated
    assert headers.get("x-should-retry") == ("false" if told_not_to else None)
    assert ("retry-after" in headers) == promises


def test_who_is_told_when_to_come_back_is_not_told_to_stay_away() -> None:
    row = CATALOGUE["backend_refused_credentials"]
    headers = error_response(ApiError(failed(row), retry_after_s=7)).headers
    assert headers["retry-after"] == "7"
    assert "x-should-retry" not in headers


def test_a_code_of_the_backends_own_may_be_tried_again() -> None:
    unknown = replace(failed(CATALOGUE["backend_error"]), code="model_is_loading")
    assert "x-should-retry" not in error_response(ApiError(unknown)).headers


def test_what_says_when_to_come_back_may_be_repeated() -> None:
    assert [row.code for row in CATALOGUE.values() if row.retry_after_s and not row.retryable] == []
