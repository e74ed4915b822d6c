"""Prompt templates: the operator writes them, requests name them and fill them in."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import DEFAULT_INSTRUCTIONS
from e2e.rig.conversation import MODEL, asks
from e2e.rig.stack import UP_WITHIN, Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend

GREETER: JSON = {"id": "pmpt_greeter", "variables": {"customer": "Ada", "company": "ACME"}}


async def told(api: Api, backend: ScriptedBackend, **fields: Any) -> tuple[str | None, JSON]:
    """Hold a turn with a prompt; gives what the model was told and the response."""
    status, response = await api.post({"input": "Hi.", **fields})
    assert status == 200, response
    return backend.requests[-1].body.get("instructions"), response


async def test_a_prompt_is_rendered_with_the_variables_of_a_request(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    said, response = await told(impatient_api, backend, prompt=GREETER)
    assert said == response["instructions"] == "Greet Ada of ACME twice."
    assert response["prompt"] == GREETER
    assert (response["model"], backend.requests[-1].body["model"]) == (MODEL, MODEL)


async def test_a_prompt_has_versions(impatient_api: Api, backend: ScriptedBackend) -> None:
    for version, expected in (("1", "Greet Ada."), ("2", "Greet Ada of ACME twice.")):
        prompt = {**GREETER, "version": version}
        said, _ = await told(impatient_api, backend, prompt=prompt, model=MODEL)
        assert said == expected


async def test_a_prompt_needs_no_other_input(impatient_api: Api, backend: ScriptedBackend) -> None:
    status, _ = await impatient_api.post({"prompt": GREETER})
    assert status == 200
    assert backend.requests[-1].body["input"] == []


async def test_a_variable_may_be_a_part_with_text(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    variables = {"customer": {"type": "input_text", "text": "Ada {{company}}"}, "company": "ACME"}
    said, _ = await told(impatient_api, backend, prompt={**GREETER, "variables": variables})
    assert said == "Greet Ada {{company}} of ACME twice."


async def test_a_prompt_goes_before_instructions_and_is_inherited(
    impatient_api: Api, backend: ScriptedBackend
) -> None:
    fields: JSON = {"prompt": GREETER, "instructions": "Be rude."}
    said, first = await told(impatient_api, backend, **fields)
    assert said == "Greet Ada of ACME twice."
    for given, expected in ((None, said), ("", None), ("Be kind.", "Be kind.")):
        body = {"model": MODEL, "previous_response_id": first["id"], "instructions": given}
        assert (await told(impatient_api, backend, **body))[0] == expected
    assert (await told(impatient_api, backend, model=MODEL))[0] == DEFAULT_INSTRUCTIONS


WRONG: dict[str, tuple[JSON, int, str]] = {
    "an unknown prompt": ({"id": "pmpt_none"}, 404, "prompt.id"),
    "an unknown version": ({**GREETER, "version": "3"}, 404, "prompt.version"),
    "no variables": ({"id": "pmpt_greeter"}, 400, "prompt.variables.customer"),
    "a missing variable": (
        {"id": "pmpt_greeter", "variables": {"customer": "Ada"}},
        400,
        "prompt.variables.company",
    ),
    "an image as variable": (
        {**GREETER, "variables": {"customer": {"type": "input_image", "image_url": "x:y"}}},
        400,
        "prompt.variables.customer",
    ),
    "no id": ({"variables": {}}, 400, "prompt.id"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_prompt_is_refused_by_its_name(
    impatient_api: Api, backend: ScriptedBackend, case: str
) -> None:
    prompt, expected, param = WRONG[case]
    for background in (False, True):
        body = {**asks("Hi."), "prompt": prompt, "background": background}
        status, refused = await impatient_api.post(body)
        assert (status, refused["error"]["param"]) == (expected, param)
    assert len(backend.requests) == 0


def test_a_gateway_with_a_bad_file_does_not_start_and_says_where_it_is_bad(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "prompts.yaml"
    file.write_text("prompts:\n  a:\n    version: {}\n")
    ended = subprocess.run(
        stack.python("turnwire_gateway"),
        env={**stack.service_environment("gateway"), "TURNWIRE_PROMPTS": str(file)},
        capture_output=True,
        text=True,
        timeout=UP_WITHIN,
        check=False,
    )
    assert ended.returncode == 2
    assert f"{file}:3:" in ended.stderr
    assert "versions" in ended.stderr
