"""Programs of users run unchanged: our examples, and those of the documentation we implement."""

import asyncio
import sys
from pathlib import Path

import pytest

from e2e.rig.conversation import MODEL, said_in
from e2e.rig.stack import Stack
from scripted_backend import Answer, ScriptedBackend, fails, says
from turnwire_testing.python_programs import OF_CLIENTS

pytestmark = pytest.mark.clients

EXAMPLES = Path(__file__).parents[2] / "examples"
DOCUMENTED = Path(__file__).parent / "documented"
FIRST, SECOND = "What is the capital of France?", "And what is it known for?"
DOCUMENTED_QUESTION = "What is the capital of Germany?"
RUN_WITHIN = 60.0


@pytest.mark.parametrize(
    "program", ["curl.sh", "openai_sdk.py", "pydantic_ai_agent.py", "langgraph_chat.py"]
)
async def test_an_example_holds_its_conversation(
    stack: Stack, backend: ScriptedBackend, program: str
) -> None:
    backend.script(says("Ber", "lin."), says("Its ", "gate."))
    settings = {
        "TURNWIRE_URL": stack.url,
        "TURNWIRE_MODEL": MODEL,
        "TURNWIRE_TOKEN": stack.key,
    }
    environment = {**stack.environment, **settings}
    code, printed = await _run(EXAMPLES / program, environment)
    assert (code, printed.split()) == (0, ["Berlin.", "Its", "gate."])
    first, second = backend.requests
    assert said_in(first)[-1] == ("user", FIRST)
    assert said_in(second) == [*said_in(first), ("assistant", "Berlin."), ("user", SECOND)]
    assert second.body.get("instructions") == first.body.get("instructions")


@pytest.mark.parametrize("program", ["resume.py", "background.py"])
async def test_an_example_of_the_client_library_prints_the_answer(
    stack: Stack, backend: ScriptedBackend, program: str
) -> None:
    backend.script(says("Once ", "upon."))
    caller = {"TURNWIRE_URL": stack.url, "TURNWIRE_API_KEY": stack.key, "TURNWIRE_MODEL": MODEL}
    path = EXAMPLES / "client_library" / program
    code, printed = await _run(path, {**stack.environment, **caller})
    assert (code, printed.splitlines()[0]) == (0, "Once upon.")


@pytest.mark.parametrize(
    "answers", [[fails(500)], [says("Berlin."), says("Its ", "gate.").broken(1)]]
)
async def test_the_curl_example_fails_when_an_answer_does(
    stack: Stack, backend: ScriptedBackend, answers: list[Answer]
) -> None:
    backend.script(*answers)
    told = {"TURNWIRE_URL": stack.url, "TURNWIRE_MODEL": MODEL, "TURNWIRE_TOKEN": stack.key}
    environment = {**stack.environment, **told}
    code, _ = await _run(EXAMPLES / "curl.sh", environment)
    assert code != 0
    assert backend.unplayed == 0


@pytest.mark.parametrize("program", ["curl.sh", "openai_sdk.py", "pydantic_ai.py", "langgraph.py"])
async def test_a_documented_program_runs_as_it_stands(
    stack: Stack, backend: ScriptedBackend, program: str, tmp_path: Path
) -> None:
    backend.script(says("Ber", "lin."))
    text = (DOCUMENTED / f"{program}.txt").read_text(encoding="utf-8")
    filled = text.replace("https://your-deployment-url/v1", stack.url)
    filled = filled.replace("qwen3-32b-tool", MODEL).replace("=AA_TOKEN", f"='{stack.key}'")
    # A name of its own: a module called `langgraph` would hide the package.
    file = tmp_path / f"documented_{program}"
    file.write_text(filled, encoding="utf-8")
    code, printed = await _run(file, {**stack.environment, "AA_TOKEN": stack.key})
    assert (code, "Berlin." in printed) == (0, True), printed
    assert said_in(backend.requests[-1])[-1] == ("user", DOCUMENTED_QUESTION)


async def _run(program: Path, environment: dict[str, str]) -> tuple[int, str]:
    if program.suffix == ".py":
        ran = await OF_CLIENTS.run([str(program)], environment, program.parent, RUN_WITHIN)
        sys.stderr.write(ran.errors)
        return ran.exit_code, ran.printed
    process = await asyncio.create_subprocess_exec(
        "bash",
        str(program),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(RUN_WITHIN):
        printed, errors = await process.communicate()
    if process.returncode:
        sys.stderr.write(errors.decode())
    return process.returncode or 0, printed.decode()
