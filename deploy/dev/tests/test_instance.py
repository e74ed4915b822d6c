"""The folder and the ports of one runner."""

import socket
from pathlib import Path

import pytest

from turnwire_dev.instance.folder import DataFolder, FolderInUseError
from turnwire_dev.instance.generated_secrets import seal_key
from turnwire_dev.instance.ports import FIRST, LOOPBACK, choose, http_url, port_problem


def test_one_runner_at_a_time_has_a_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()

    with folder.held():
        assert folder.is_held()
        with pytest.raises(FolderInUseError), folder.held():
            pytest.fail("two had it")

    assert not folder.is_held()


def test_conversations_are_for_their_owner_only(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")

    folder.prepare()

    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_folder_keeps_its_ports_while_nobody_else_has_them(tmp_path: Path) -> None:
    first = choose(("a", "b"), tmp_path, taken=0)

    assert choose(("a", "b"), tmp_path, taken=0) == first
    with socket.create_server((LOOPBACK, first["a"])):
        assert first["a"] not in choose(("a", "b"), tmp_path, taken=0).values()
    assert first["b"] not in choose(("a",), tmp_path, taken=first["b"]).values()


def test_ports_lie_below_those_of_outgoing_connections(tmp_path: Path) -> None:
    assert all(
        FIRST <= port < 32_768 for port in choose(("a", "b", "c"), tmp_path, taken=0).values()
    )


def test_a_port_that_cannot_be_had_is_told_with_its_reason() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        assert port_problem(LOOPBACK, server.getsockname()[1]) == "is in use"
    assert port_problem("192.0.2.1", 8080) == "is not an address of this machine"


def test_a_client_reaches_a_gateway_that_listens_everywhere_over_loopback() -> None:
    assert http_url("0.0.0.0", 8080) == "http://127.0.0.1:8080"
    assert http_url("::", 8080) == "http://[::1]:8080"
    assert http_url("localhost", 80) == "http://localhost:80"


def test_a_folder_keeps_one_key_for_its_owner_only(tmp_path: Path) -> None:
    path = DataFolder(tmp_path).seal_key

    key = seal_key(path)

    assert seal_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert seal_key(tmp_path / "other.key") != key
