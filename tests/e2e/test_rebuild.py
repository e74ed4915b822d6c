"""`turnwire rebuild`: the views anew while the stack serves, compared with the log."""

import json
import subprocess
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says

pytestmark = pytest.mark.process


def rebuild(stack: Stack, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        stack.command("rebuild", *options),
        env={**stack.environment, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_views_are_built_anew_and_what_was_damaged_is_named(
    stack: Stack, api: Api, backend: ScriptedBackend
) -> None:
    backend.always(says("Hello."))
    ids: list[str] = [(await api.post(asks("Hi.")))[1]["id"] for _ in range(5)]
    first = report(rebuild(stack, "-o", "json"))
    async with AsyncMongoClient[dict[str, Any]](stack.run()["mongodb_url"]) as client:
        views = client.get_default_database()[f"responses_{first['generation']}"]
        await views.delete_one({"_id": ids[0]})
        await views.update_one({"_id": ids[1]}, {"$set": {"status": "failed"}})

    second = report(rebuild(stack, "-o", "json"))

    assert first["serves"] and second["serves"]  # noqa: PT018 -- one fact
    assert first["digest"] == first["digest_of_log"]
    assert first["differences"] == second["differences"] == first["differences_of_old"] == []
    assert second["generation"] == first["generation"] + 1
    named = {each["about"]: each["how"] for each in second["differences_of_old"]}
    assert named == {ids[0]: "missing", ids[1]: "different"}
    assert (await api.call("GET", f"/responses/{ids[0]}"))[1]["status"] == "completed"


async def test_it_works_by_the_urls_of_broker_and_database(stack: Stack, api: Api) -> None:
    environment = stack.service_environment("store")
    urls = {name: environment[name] for name in environment if name.startswith("TURNWIRE_")}

    done = rebuild(stack, **{**urls, "TURNWIRE_DATA_DIR": str(stack.data / "none")})

    assert done.returncode == 0, done.stderr + done.stdout
    assert "They serve now" in done.stdout
    del api


def test_without_anything_that_runs_it_says_the_way_out(stack: Stack) -> None:
    done = rebuild(stack, TURNWIRE_DATA_DIR=str(stack.data / "none"))

    assert done.returncode == 1
    assert "turnwire up" in done.stdout


def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Give the last line that was printed, once the steps before it are told."""
    assert done.returncode == 0, done.stderr + done.stdout
    *steps, result = [json.loads(line) for line in done.stdout.splitlines()]
    assert {step["step"] for step in steps} == {"build the views", "compare with the log"}
    return result
