"""An fsync that fails: the broker says nothing more until it is restarted, and loses nothing."""

import time

import pytest

from chaos.disk.rig.failing_calls import failing_calls
from chaos.disk.rig.small_disk import SmallDisk
from e2e.rig.conversation import asks
from e2e.rig.stack import Stack
from e2e.rig.wire import Api, text_of
from scripted_backend import ScriptedBackend, says

pytestmark = [pytest.mark.chaos, pytest.mark.process]

ENDS_WITHIN_S = 30.0


async def test_a_broker_whose_fsync_fails_is_restarted_and_the_turn_ends(
    api: Api, backend: ScriptedBackend, stack: Stack, disk: SmallDisk
) -> None:
    del disk
    backend.always(says("Said."))
    status, before = await api.post(asks("one"))
    assert status == 200
    began = time.monotonic()

    with failing_calls(stack.pid("nats"), "fsync", "EIO"):
        status, during = await api.post(asks("two", before["id"]))

    assert time.monotonic() - began < ENDS_WITHIN_S
    assert (status, text_of(during)) == (200, "Said.")
    stack.wait_until_said("nats cannot write any more and is restarted")
    await api.until_well()
    status, after = await api.post(asks("three", during["id"]))
    assert (status, text_of(after)) == (200, "Said.")
    assert await api.get(f"/responses/{before['id']}") == (200, before)
