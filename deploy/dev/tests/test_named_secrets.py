"""Which service is told what the operator's files name."""

from pathlib import Path

import pytest

from turnwire_dev.components.named_secrets import named_in_files

POLICY = """
policies:
  default:
    input:
      - {stage: model, provider: llama-guard-3, settings: {base_url: u, model: m, api_key_env: ONE}}
      - {stage: words, provider: regex, settings: {patterns: {at: ['PATH']}}}
"""
SERVERS = """
servers:
  search: {url: u, authorization_env: TWO, headers_env: {X-A: THREE, X-B: ONE}}
"""
BACKENDS = "backends: [{name: n, url: u, api_key_env: FOUR}]"


def test_each_variable_is_for_those_who_read_the_file_that_names_it(tmp_path: Path) -> None:
    files = {"GUARD_POLICY": POLICY, "MCP_SERVERS": SERVERS, "BACKENDS": BACKENDS}
    environment = {f"TURNWIRE_{name}": str(tmp_path / name) for name in files}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    assert named_in_files(environment) == {
        "ONE": {"guard", "tool-runner"},
        "TWO": {"tool-runner"},
        "THREE": {"tool-runner"},
        "FOUR": {"orchestrator"},
    }


@pytest.mark.parametrize(
    "text", [b"", b"a: [", b"a: \xff", b"a: &a [*a]", b"api_key_env: 7", b"[{}, 1]"]
)
def test_a_file_that_cannot_be_read_names_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "file").write_bytes(text)
    for file in ("file", "none", "."):
        assert named_in_files({"TURNWIRE_BACKENDS": str(tmp_path / file)}) == {}
