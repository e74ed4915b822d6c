"""Prompt templates: instructions that an operator keeps in a file, and requests name by their id.

    prompts:
      pmpt_support:
        default: "2"
        versions:
          "1": { instructions: "You help customers of {{ company }}." }
          "2": { instructions: "You help {{ customer }} of {{ company }}.", model: smollm2 }

OpenAI: `prompt: {id, version, variables}`. Read from text, no I/O.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from turnwire_chassis.yaml_place import YamlPlace, read_yaml
from turnwire_contracts.errors.catalogue import failure
from turnwire_gateway.api.requests.create_request import PromptParam
from turnwire_gateway.errors import ApiError, invalid

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Template(Struct, frozen=True):
    """One version of a prompt."""

    instructions: str
    model: str | None = None
    """The model that is asked when the request names none."""


class PromptTemplate(Struct, frozen=True):
    """All versions of a prompt."""

    default: str
    versions: Mapping[str, Template]


class Rendered(Struct, frozen=True):
    """What a prompt says in one request."""

    instructions: str
    model: str | None


Prompts = Mapping[str, PromptTemplate]
"""Prompts by their id."""


def parse_prompts(text: str, file: str) -> Prompts:
    """Read the operator's file; `file` is what complaints call it. Raises `PlaceError`."""
    top = read_yaml(text, file).fields(known=("prompts",), required=("prompts",))
    return {name: _prompt(place) for name, place in top["prompts"].entries().items()}


def render(prompts: Prompts, param: PromptParam) -> Rendered:
    """Render a prompt with the variables of a request.

    Raises `ApiError`: 404 for a prompt or version that is not there, 400 for a variable that is
    missing or no text.
    """
    prompt = prompts.get(param.id)
    if prompt is None:
        raise _not_found("prompt.id", f"Prompt with id '{param.id}' not found.")
    version = param.version or prompt.default
    template = prompt.versions.get(version)
    if template is None:
        there = ", ".join(f"'{name}'" for name in prompt.versions)
        message = f"Prompt '{param.id}' has no version '{version}'; there are: {there}."
        raise _not_found("prompt.version", message)
    given = param.variables or {}
    text = _VARIABLE.sub(lambda found: _value(found[1], given), template.instructions)
    return Rendered(text, template.model)


def _value(name: str, given: Mapping[str, object]) -> str:
    place = f"prompt.variables.{name}"
    match given.get(name):
        case str(text) | {"type": "input_text", "text": str(text)}:
            return text
        case None:
            message = f"The prompt needs the variable '{name}': set '{place}'."
            raise invalid(message, place, "missing_required_parameter")
        case _:
            message = f"Invalid value for '{place}': must be a text."
            raise invalid(message, place)


def _prompt(place: YamlPlace) -> PromptTemplate:
    fields = place.fields(known=("default", "versions"), required=("versions",))
    versions = {name: _template(each) for name, each in fields["versions"].entries().items()}
    if not versions:
        raise fields["versions"].error("must have at least one version")
    newest = next(reversed(versions))
    default = fields["default"].one_of(versions) if "default" in fields else newest
    return PromptTemplate(default, versions)


def _template(place: YamlPlace) -> Template:
    fields = place.fields(known=("instructions", "model"), required=("instructions",))
    model = fields["model"].text() if "model" in fields else None
    return Template(fields["instructions"].text(), model)


def _not_found(param: str, message: str) -> ApiError:
    return ApiError(failure("prompt_not_found", message, param))
