"""What is not needed for a start is not loaded by it, and is there when it is needed."""

import subprocess
import sys

LOADED = "'aiohttp.client' in sys.modules"
SERVICES = ("gateway", "guard", "store", "tool_runner")


def printed(*lines: str) -> list[str]:
    """Run lines in an interpreter of their own; gives what they print."""
    call = (sys.executable, "-c", "\n".join(("import sys", *lines)))
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout.splitlines()


def test_services_start_without_the_client_for_websockets() -> None:
    lines: list[str] = []
    for service in SERVICES:
        lines += [f"import turnwire_{service}.__main__", f"print('{service}', {LOADED})"]
    # In one interpreter: the first that loads it is the one at fault.
    assert printed(*lines) == [f"{service} False" for service in SERVICES]


def test_services_log_without_rich() -> None:
    lines: list[str] = []
    for service in ("orchestrator", *SERVICES):
        lines += [
            f"import turnwire_{service}.__main__",
            f"print('{service}', 'rich' in sys.modules)",
        ]
    assert printed(*lines) == [f"{service} False" for service in ("orchestrator", *SERVICES)]


def test_a_tool_runner_starts_without_the_sdk_of_mcp() -> None:
    line = "print({'mcp', 'mcp_types'} & {*sys.modules})"
    assert printed("import turnwire_tool_runner.__main__", line) == ["set()"]


def test_what_was_hidden_can_be_loaded_afterwards() -> None:
    lines = ("import turnwire_chassis", "from rich.text import Text", "print(Text('seen').plain)")
    assert printed(*lines) == ["seen"]


def test_what_is_loaded_is_not_hidden() -> None:
    told = printed(
        "import json",
        "from turnwire_chassis.lazy_imports import hidden",
        "with hidden('json'):",
        "    import json as again",
        "print(again is json is sys.modules['json'])",
    )
    assert told == ["True"]


def test_it_is_loaded_by_its_first_use() -> None:
    told = printed(
        "import turnwire_chassis.broker",
        "from nats.aio import transport",
        f"print({LOADED})",
        "print(transport.aiohttp.WSMsgType.BINARY.name)",
        f"print({LOADED})",
    )
    assert told == ["False", "BINARY", "True"]


def test_what_is_not_there_stays_away() -> None:
    lines = ("from turnwire_chassis.lazy_imports import defer", "defer('no_such_library')")
    assert printed(*lines, "print('no_such_library' in sys.modules)") == ["False"]
