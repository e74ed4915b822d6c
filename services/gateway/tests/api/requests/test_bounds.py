"""What the bounds in a row of `request_fields.py` mean for a request."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from turnwire_contracts.request_fields import RequestField
from turnwire_gateway.api.requests.create_request import checked

TEXT = RequestField("house_style", "supported", "", type=str, minimum=2, maximum=4)
NUMBER = RequestField("loudness", "supported", "", type=float, minimum=2, maximum=4)


def read(field: RequestField, value: Any) -> Any:
    """Read a value of a field as the gateway does."""
    kind, _ = checked(field)
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize("value", ["ab", "abcd", None])
def test_a_text_may_be_as_long_as_its_bounds_say(value: str | None) -> None:
    assert read(TEXT, value) == value


@pytest.mark.parametrize("value", ["", "a", "abcde", 3])
def test_a_text_of_another_length_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        read(TEXT, value)


@pytest.mark.parametrize("value", [1.9, 4.1, "abc"])
def test_a_number_beyond_its_bounds_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        read(NUMBER, value)
