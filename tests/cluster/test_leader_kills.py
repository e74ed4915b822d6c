"""The leader of the log is killed again and again while clients work: they notice nothing."""

from pathlib import Path

import pytest

from cluster.rig.faults import leader_kills, rolling_upgrade
from cluster.rig.trial import tried

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

SECONDS, EVERY = 25.0, 8.0


async def test_no_turn_suffers_from_leaders_that_are_killed(tmp_path: Path) -> None:
    report = await tried(tmp_path, 1, leader_kills(SECONDS, EVERY))
    assert report.servers_down >= 3
    assert report.is_good, report


async def test_no_error_reaches_a_client_while_the_broker_is_upgraded(tmp_path: Path) -> None:
    report = await tried(tmp_path, 2, rolling_upgrade)
    assert report.is_good, report
    assert report.tally.refused == report.tally.failed == []
