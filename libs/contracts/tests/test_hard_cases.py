"""Hard cases that were faults once: what they taught stays true."""

import pytest

from turnwire_contracts.codec import UnreadableEventError, decode
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.delta_boundaries import split
from turnwire_contracts.wire.response import ResponseProgress, response_object
from turnwire_testing.examples import requested
from turnwire_testing.open_responses import problems_of_response


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEventError):
        decode("closed", body)


def test_cuts_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        list(split("abc", "!"))


@pytest.mark.parametrize(
    "params", [{"text": {"format": None}}, {"text": {"verbosity": None}}], ids=str
)
def test_an_explicit_null_inside_a_field_is_echoed_as_its_default(params: JSON) -> None:
    response = response_object(requested(params=params), ResponseProgress("in_progress"))
    assert problems_of_response(response) == []
