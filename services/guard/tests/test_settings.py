"""The setting TURNWIRE_GUARD_POLICY."""

from pathlib import Path

import pytest

from turnwire_chassis.settings import SettingsError, load
from turnwire_guard.policy import NO_POLICY
from turnwire_guard.settings import GuardSettings


def loaded(monkeypatch: pytest.MonkeyPatch, path: Path) -> GuardSettings:
    monkeypatch.setenv("TURNWIRE_GUARD_POLICY", str(path))
    return load(GuardSettings)


def test_unset_means_that_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TURNWIRE_GUARD_POLICY", raising=False)

    assert load(GuardSettings).policy is NO_POLICY


def test_the_policy_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("policies: {shop: {input: []}}")

    settings = loaded(monkeypatch, path)
    path.unlink()

    assert list(settings.policy.applications) == ["shop"]


def test_a_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere.yaml cannot be read: No such file"):
        loaded(monkeypatch, tmp_path / "nowhere.yaml")


def test_a_file_that_is_not_text_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="it is not UTF-8"):
        loaded(monkeypatch, tmp_path / "policy.yaml")


def test_a_bad_policy_is_a_bad_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policy: {}")

    with pytest.raises(SettingsError, match=r"policy.yaml:1: policy: .*Did you mean 'policies'"):
        loaded(monkeypatch, tmp_path / "policy.yaml")
