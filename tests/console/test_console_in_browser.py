"""The console in a browser: the tests of `console/tests`, against a stack that they may harm."""

from pathlib import Path

import pytest

from console.rig import BROWSER, house

pytestmark = [
    pytest.mark.console,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium, which this machine has not"),
    pytest.mark.timeout(400),
]


async def test_the_console_in_a_browser(tmp_path: Path) -> None:
    async with house(tmp_path) as running:
        code, said = await running.run("tests/console.test.ts", "--test", "--test-reporter=spec")
        print(said)  # noqa: T201 -- how long each took
        assert code == 0, said
