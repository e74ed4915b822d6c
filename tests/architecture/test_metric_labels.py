"""The codes that metrics tell apart are those that clients are told."""

from turnwire_chassis.telemetry.labels import CODES
from turnwire_gateway.openapi.error_codes import ERROR_CODES

REASONS = {"max_output_tokens", "max_tool_rounds", "max_tool_time", "backend_refused"}
"""Why answers are incomplete, and what stands for a backend's refusal without a code."""


def test_every_code_of_an_error_is_a_value_of_a_label() -> None:
    assert set(ERROR_CODES) | REASONS == CODES
