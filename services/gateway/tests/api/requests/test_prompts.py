"""Prompt templates: read from the operator's file, rendered with what a request says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_chassis.yaml_place import PlaceError
from turnwire_gateway.api.requests.create_request import PromptParam
from turnwire_gateway.api.requests.prompts import (
    PromptTemplate,
    Rendered,
    Template,
    parse_prompts,
    render,
)
from turnwire_gateway.errors import ApiError

FILE = """
prompts:
  pmpt_support:
    default: "1"
    versions:
      "1": { instructions: "You help {{ customer }} of {{company}}.", model: small }
      2: { instructions: "Be brief." }
  pmpt_new:
    versions:
      "a": { instructions: "First." }
      "b": { instructions: "Second." }
"""
PROMPTS = parse_prompts(FILE, "prompts.yaml")
names = st.sampled_from(["customer", "company", "x", "_", "a1"])
values = st.text(max_size=20) | st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "input_image"])},
    optional={"text": st.text(max_size=9) | st.integers()},
)


def rendered(**fields: Any) -> Rendered:
    """Render a prompt."""
    return render(PROMPTS, PromptParam.model_validate(fields))


def refused(**fields: Any) -> tuple[int, str, str | None]:
    """Ask for a prompt that cannot be rendered."""
    with pytest.raises(ApiError) as raised:
        rendered(**fields)
    failure = raised.value.failure
    return failure.http_status, failure.code, failure.param


def test_a_prompt_is_rendered_with_its_variables() -> None:
    said = {"customer": "Ann", "company": {"type": "input_text", "text": "Acme"}}
    assert rendered(id="pmpt_support", variables=said) == Rendered("You help Ann of Acme.", "small")


def test_a_version_can_be_named() -> None:
    assert rendered(id="pmpt_support", version="2") == Rendered("Be brief.", None)


def test_the_last_version_is_the_default_where_none_is_said() -> None:
    assert rendered(id="pmpt_new").instructions == "Second."


def test_what_a_variable_says_is_not_rendered_again() -> None:
    said = {"customer": "{{ company }}", "company": "{{ customer }}"}
    text = rendered(id="pmpt_support", variables=said).instructions
    assert text == "You help {{ company }} of {{ customer }}."


def test_variables_that_the_prompt_does_not_have_are_no_mistake() -> None:
    assert rendered(id="pmpt_new", variables={"other": "x"}).instructions == "Second."


def test_what_cannot_be_rendered_is_refused_by_its_name() -> None:
    assert refused(id="pmpt_other") == (404, "prompt_not_found", "prompt.id")
    missing_version = refused(id="pmpt_support", version="3")
    assert missing_version == (404, "prompt_not_found", "prompt.version")
    missing_variable = refused(id="pmpt_support", variables={"customer": "Ann"})
    assert missing_variable == (
        400,
        "missing_required_parameter",
        "prompt.variables.company",
    )
    image = {"type": "input_image", "image_url": "https://example.org/"}
    wrong = refused(id="pmpt_support", variables={"customer": image})
    assert wrong == (400, "invalid_value", "prompt.variables.customer")


@given(
    st.lists(st.text(max_size=9) | names.map("{{{{ {} }}}}".format), max_size=6).map("".join),
    st.dictionaries(names, values),
)
def test_a_prompt_is_rendered_or_refused_and_nothing_else(
    template: str, variables: dict[str, Any]
) -> None:
    prompts = {"p": PromptTemplate("1", {"1": Template(template)})}
    try:
        text = render(prompts, PromptParam(id="p", variables=variables)).instructions
    except ApiError as error:
        assert error.failure.http_status == 400  # noqa: PT017 -- either way is right
    else:
        assert isinstance(text, str)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "prompts.yaml:1: the file is empty"),
        ("prompts: []", "prompts.yaml:1: prompts: must be a mapping"),
        ("promts: {}", "Did you mean 'prompts'?"),
        ("prompts: {p: {}}", "the key 'versions' is missing"),
        ("prompts: {p: {versions: {}}}", "prompts.p.versions: must have at least one version"),
        ("prompts: {p: {versions: {a: {}}}}", "the key 'instructions' is missing"),
        ("prompts: {p: {versions: {a: {instructions: 1}}}}", "write it in quotes: '1'"),
        (
            "prompts: {p: {default: b, versions: {a: {instructions: x}}}}",
            "prompts.p.default: 'b' is not possible",
        ),
        ("prompts: {p: {versions: {a: {instructions: x, mode: y}}}}", "Did you mean 'model'?"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(PlaceError) as raised:
        parse_prompts(text, "prompts.yaml")
    assert complaint in str(raised.value)


def test_no_prompts_are_prompts_too() -> None:
    assert parse_prompts("prompts: {}", "prompts.yaml") == {}
