"""The file of backends: what it can say, and where it is wrong."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from turnwire_chassis.settings import SettingsError
from turnwire_chassis.yaml_place import PlaceError
from turnwire_orchestrator.prompting.dialect import Api
from turnwire_orchestrator.servers import Server, parse_servers
from turnwire_orchestrator.settings import OrchestratorSettings

ENVIRON = {"OPENAI_API_KEY": "sk-1"}

FILE = """\
backends:
  - name: local
    url: http://127.0.0.1:8000/v1
    models: [qwen3, 'qwen*']
  - name: openai
    url: https://api.openai.com/v1
    api: chat
    api_key_env: OPENAI_API_KEY
    weight: 0.5
    backup: true
"""


def test_a_file_names_backends_with_their_models_and_keys() -> None:
    assert parse_servers(FILE, "b.yaml", ENVIRON) == (
        Server("local", "http://127.0.0.1:8000/v1", models=("qwen3", "qwen*")),
        Server("openai", "https://api.openai.com/v1", "sk-1", Api.CHAT, (), 0.5, backup=True),
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "b.yaml:1: the file is empty"),
        ("backends: []", "b.yaml:1: backends: must name at least one backend"),
        ("servers: []", "b.yaml:1: servers: there is no such key"),
        ("backends:\n  - name: a", "b.yaml:2: backends[0]: the key 'url' is missing"),
        (
            "backends:\n  - name: a\n    url: ftp://x",
            "b.yaml:3: backends[0].url: must begin with http",
        ),
        (
            "backends:\n  - name: a\n    url: http://x\n    api: chats",
            "b.yaml:4: backends[0].api: 'chats' is not possible. Did you mean 'chat'?",
        ),
        (
            "backends:\n  - name: a\n    url: http://x\n    weight: 0",
            "b.yaml:4: backends[0].weight: must be a number above 0",
        ),
        (
            "backends:\n  - name: a\n    url: http://x\n    backup: maybe",
            "b.yaml:4: backends[0].backup: must be true or false",
        ),
        (
            "backends:\n  - name: a\n    url: http://x\n    models: qwen",
            "b.yaml:4: backends[0].models: must be a list",
        ),
        (
            "backends:\n  - name: a\n    url: http://x\n    api_key_env: NOT_THERE",
            "b.yaml:4: backends[0].api_key_env: the environment variable NOT_THERE is not set",
        ),
        (
            "backends:\n  - {name: a, url: http://x}\n  - {name: a, url: http://y}",
            "b.yaml:3: backends[1]: there are two backends with the name 'a'",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, complaint: str) -> None:
    with pytest.raises(PlaceError) as raised:
        parse_servers(text, "b.yaml", ENVIRON)
    assert str(raised.value).startswith(complaint)


def test_without_a_file_there_is_the_one_backend_of_the_settings() -> None:
    settings = OrchestratorSettings(
        backend_url="http://x/v1", backend_api="chat", backend_api_key=SecretStr("k")
    )
    assert settings.servers == (Server("backend", "http://x/v1", "k", Api.CHAT),)


def test_a_file_takes_the_place_of_the_one_backend(tmp_path: Path) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text("backends:\n  - {name: a, url: http://x/v1}\n", encoding="utf-8")
    assert OrchestratorSettings(backends=path).servers == (Server("a", "http://x/v1"),)


def test_settings_with_a_wrong_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"TURNWIRE_BACKENDS: .* cannot be read"):
        OrchestratorSettings(backends=tmp_path / "nothing.yaml")
