"""Two of three servers are down: nothing is accepted that could be lost, and it is said why."""

from pathlib import Path

import aiohttp
import pytest

from cluster.rig.system import running_system
from cluster.rig.trial import tried_on
from turnwire_testing.brokers import BrokerCluster
from turnwire_testing.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

WITHIN_S = 60.0
REASON = "more than half of them must be up"


async def test_without_a_quorum_requests_are_refused_and_nothing_accepted_is_lost(
    tmp_path: Path,
) -> None:
    async with running_system(tmp_path) as system:

        async def lose_quorum(brokers: BrokerCluster) -> int:
            first, second, _ = brokers.members.values()
            await first.kill()
            await second.kill()
            for service in system.services:
                if not service.name.startswith("gateway"):
                    await eventually(
                        lambda service=service: _says_why(service.process.health_url), WITHIN_S
                    )
            for url in system.urls:
                await eventually(lambda url=url: _says_why(f"{url}/../health"), WITHIN_S)
                await _is_refused(url)
            await first.start()
            await system.until_well()
            await second.start()
            return 2

        report = await tried_on(system, 3, lose_quorum)
    assert report.problems == [], report
    assert report.ended == []
    assert report.tally.unannounced == []
    assert report.tally.refused


async def _says_why(url: str) -> bool:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status == 503 and REASON in await answer.text()


async def _is_refused(url: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/responses", json={"model": "m", "input": "Hello."}) as answer,
    ):
        assert answer.status == 503
        assert 0 < int(answer.headers["retry-after"]) <= 10
        # The limits are in the same broker, and are asked first.
        code = (await answer.json())["error"]["code"]
        assert code in {"event_log_unavailable", "rate_limiter_unavailable"}
