"""A policy file that changes while it is in force."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from turnwire_contracts.queries import AskForCheck
from turnwire_guard import policy_file
from turnwire_guard.pipeline import Finding, Provider, ProviderError, Stage
from turnwire_guard.policy import NO_POLICY, Application, GuardPolicy, parse_policy
from turnwire_guard.policy_file import PolicyFile
from turnwire_testing.waiting import eventually

ONE = "policies: {one: {input: []}}"
TWO = "policies: {two: {input: []}}"
BAD = "policy: {}"


def read(path: Path) -> PolicyFile:
    return PolicyFile(path, parse_policy(path.read_text(), str(path)), poll_s=0.01)


def names(policies: PolicyFile) -> list[str]:
    return list(policies.policy.applications)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    says(path, ONE)
    return path


def says(path: Path, text: str | None) -> None:
    """Change the file, or take it away."""
    if text is None:
        path.unlink()
    else:
        path.write_text(text)


async def test_what_the_file_says_now_holds_after_a_look(path: Path) -> None:
    policies = read(path)
    first = policies.policy.version

    says(path, TWO)
    await policies.look()

    assert names(policies) == ["two"]
    assert policies.detail == f"version {policies.policy.version}"
    assert policies.policy.version != first


async def test_a_change_before_the_first_look_is_not_missed(path: Path) -> None:
    policies = read(path)
    says(path, TWO)

    await policies.start()
    await policies.look()

    assert names(policies) == ["two"]


async def test_a_bad_file_leaves_the_old_policy_in_force_and_is_told(path: Path) -> None:
    policies = read(path)
    version = policies.policy.version

    says(path, BAD)
    await policies.look()

    assert names(policies) == ["one"]
    assert policies.detail.startswith(f"version {version}; the file is ignored: {path}:1: policy:")
    says(path, ONE)
    await policies.look()
    assert policies.detail == f"version {version}"


async def test_a_file_that_is_gone_leaves_the_old_policy_in_force(path: Path) -> None:
    policies = read(path)

    says(path, None)
    await policies.look()

    assert names(policies) == ["one"]
    assert "cannot be read: No such file" in policies.detail


async def test_a_config_map_is_swapped_behind_its_symlinks(tmp_path: Path) -> None:
    for version, text in (("v1", ONE), ("v2", TWO)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "policy.yaml").write_text(text)
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "policy.yaml").symlink_to("data/policy.yaml")
    policies = read(tmp_path / "policy.yaml")

    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "data")
    await policies.look()

    assert names(policies) == ["two"]


@dataclass
class Watched(Provider):
    """A provider that says whether it runs."""

    fails: bool = False
    running: bool = False
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        raise AssertionError(question)

    async def start(self) -> None:
        if self.fails:
            raise ProviderError("no weights")
        self.running = True

    async def stop(self) -> None:
        self.running = False
        self.stopped.set()


def watching(*providers: Watched, version: str = "v") -> GuardPolicy:
    stages = tuple(Stage("s", "watched", each) for each in providers)
    return GuardPolicy({"default": Application({"input": stages})}, version)


async def test_providers_run_until_the_last_check_by_their_policy_is_done(path: Path) -> None:
    old = Watched()
    policies = PolicyFile(path, watching(old))
    await policies.start()
    assert old.running

    async with policies.lease(), policies.lease() as used:
        await policies.look()
        assert names(policies) == ["one"]
        assert "default" in used.applications
        await asyncio.sleep(0)
        assert old.running
    async with asyncio.timeout(30):
        await old.stopped.wait()


async def test_providers_that_nobody_uses_stop_at_once_and_the_rest_at_the_end(path: Path) -> None:
    old = Watched()
    policies = PolicyFile(path, watching(old))
    await policies.start()
    await policies.look()
    async with asyncio.timeout(30):
        await old.stopped.wait()

    last = Watched()
    ending = PolicyFile(None, watching(last))
    await ending.start()
    await ending.stop()
    assert not last.running


async def test_a_policy_whose_providers_cannot_start_is_not_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Watched()
    broken = watching(begun, Watched(fails=True), version="new")

    def parse(text: str, file: str) -> GuardPolicy:
        del text, file
        return broken

    monkeypatch.setattr(policy_file, "parse_policy", parse)
    policies = PolicyFile(path, NO_POLICY)

    await policies.look()

    assert policies.policy is NO_POLICY
    assert policies.detail.endswith("no weights")
    assert not begun.running


async def test_a_stage_that_is_disabled_is_not_started() -> None:
    off = Watched(fails=True)
    stage = Stage("s", "watched", off, enabled=False)

    await PolicyFile(None, GuardPolicy({"a": Application({"input": (stage,)})})).start()

    assert not off.running


async def test_the_file_is_followed_until_nobody_wants_it(path: Path) -> None:
    policies = read(path)
    watch = asyncio.create_task(policies.watch())

    says(path, TWO)

    async def holds() -> bool:
        return names(policies) == ["two"]

    await eventually(holds)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
