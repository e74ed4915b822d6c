"""What all bodies of requests have: tolerance, and what is said of each field in one place."""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct
from pydantic import BaseModel, ConfigDict

from turnwire_contracts.json_values import JSON
from turnwire_contracts.request_fields import Treatment


class FieldCoverage(Struct, frozen=True):
    """What becomes of a field, as docs/coverage.md and the OpenAPI document say it."""

    how: str
    treatment: Treatment = "supported"

    @property
    def sentence(self) -> str:
        """The description in the OpenAPI document."""
        return f"{self.how[:1].upper()}{self.how[1:]} ({self.treatment})."


def describe(schema: JSON, body: type[Any]) -> None:
    """Say of each field what becomes of it; those that the model does not know are added."""
    properties: dict[str, JSON] = schema["properties"]
    for name, field in body.covered.items():
        properties.setdefault(name, {})["description"] = field.sentence
    if body.one_of:
        schema["anyOf"] = [{"required": [name]} for name in body.one_of]


TOLERANT = ConfigDict(extra="allow", strict=True)


class RequestBody(BaseModel):
    """The body of a request: tolerant in form, strict in values."""

    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra=describe)

    one_of: ClassVar[tuple[str, ...]] = ()
    """Fields of which one must be there."""
    covered: ClassVar[Mapping[str, FieldCoverage]] = {}
    """Every field that OpenAI's body has, and ours; the model has those that have an effect."""
