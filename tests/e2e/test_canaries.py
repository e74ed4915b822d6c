"""Secrets of all kinds are told to a stack; then every place is searched for each of them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.rig.canaries.scene import OPEN_WORD, Evidence, Scene
from e2e.rig.canaries.told import CALLERS, NAMES, OPERATORS
from e2e.rig.desk import Desk

SERVICES = ("gateway", "orchestrator", "tool-runner", "guard", "store")


@pytest.fixture(scope="module")
def evidence(
    tmp_path_factory: pytest.TempPathFactory, backend_port: int, desk_process: Desk
) -> Evidence:
    """What one stack leaves behind, its log being in the clear."""
    desk_process.forget()
    scene = Scene(tmp_path_factory.mktemp("canaries"), backend_port, desk_process)
    # In a thread: a test's event loop may be about to run in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, scene.played()).result()


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_stands_in_its_home_and_nowhere_else(evidence: Evidence, name: str) -> None:
    assert evidence.found(evidence.canaries[name].secret) == evidence.canaries[name].homes


def test_secrets_reached_those_they_are_meant_for(evidence: Evidence) -> None:
    canaries = {**CALLERS, **dict(OPERATORS.values())}
    meant = ("MCP authorization", "MCP header", *(name for name, _ in OPERATORS.values()))
    heard = {name for name in meant if canaries[name].secret in evidence.heard}
    assert heard == set(meant)


def test_the_search_finds_what_is_there_and_no_sink_is_empty(evidence: Evidence) -> None:
    found = evidence.found(OPEN_WORD)
    assert {place.partition("/")[0].partition(" ")[0] for place in found} == {"nats", "answer"}
    expected = {f"logs/{service}.log" for service in SERVICES} | {"run.json", "nats.conf"}
    expected |= {f"{what} of {service}" for what in ("argv", "environ") for service in SERVICES}
    expected |= {f"argv of {name}" for name in ("nats", "mongo", "turnwire")}
    expected |= {"screen", "traces"}
    filled = {name for name, said in evidence.sinks.items() if any(said)}
    assert expected - filled == set()
    for kind in ("mongo/", "turnwire broker-replay", "turnwire audit", "turnwire keys list"):
        assert any(name.startswith(kind) for name in filled), kind
    scraped = [said for name, (said, *_) in evidence.sinks.items() if name.endswith("/metrics")]
    assert [b"turnwire_build_info" in said for said in scraped] == [True] * len(SERVICES)
