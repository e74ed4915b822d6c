"""A small MCP server over streamable HTTP: the time, sums, texts in a folder, and notes.

Run it, and tell Turnwire of it: the README beside this file has the request.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

HERE = Path(__file__).parent
MOST_FOUND = 5
LONGEST_TEXT = 2_000

READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False
)


@dataclass(frozen=True)
class Desk:
    """What the tools work on."""

    texts: Path
    """The folder that is searched."""
    notes: Path
    """The file that notes are added to."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def get_time(self, timezone: str = "UTC") -> str:
        """Tell the time in a city or time zone, such as `Europe/Berlin` or `Tokyo`."""
        zone = _zone(timezone)
        return self.now().astimezone(zone).strftime("%A %Y-%m-%d %H:%M %Z")

    def add(self, a: float, b: float) -> str:
        """Add two numbers."""
        return f"{a + b:g}"

    def search(self, query: str) -> str:
        """Search the texts for words; gives the lines that have all of them, and their files."""
        words = query.lower().split()
        found = [
            f"{path.name}: {line.strip()}"
            for path in sorted(self.texts.glob("*.txt"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if words and all(word in line.lower() for word in words)
        ]
        return "\n".join(found[:MOST_FOUND]) or f"Nothing is said of {query!r}."

    def note(self, text: str) -> str:
        """Write a note down. It stays."""
        line = " ".join(text.split())[:LONGEST_TEXT]
        with self.notes.open("a", encoding="utf-8") as notes:
            notes.write(f"{line}\n")
        return f"Noted: {line}"


def make_server(desk: Desk) -> MCPServer[Any]:
    """Put the tools on a server."""
    server: MCPServer[Any] = MCPServer("desk", instructions="The time, sums, texts and notes.")
    for tool in (desk.get_time, desk.add, desk.search):
        server.tool(annotations=READS, structured_output=False)(tool)
    server.tool(annotations=WRITES, structured_output=False)(desk.note)
    return server


def _zone(name: str) -> ZoneInfo:
    """Find a time zone by its name or its city."""
    wanted = name.strip().replace(" ", "_")
    for region in ("", "Europe/", "America/", "Asia/", "Africa/", "Australia/", "Pacific/"):
        try:
            return ZoneInfo(region + wanted)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    raise ToolError(f"There is no time zone {name!r}. Try one like 'Europe/Berlin'.")


def main() -> None:
    """Serve until ^C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8800)
    parser.add_argument("--texts", type=Path, default=HERE / "texts", help="a folder of .txt files")
    parser.add_argument("--notes", type=Path, default=Path("notes.txt"), help="where notes go")
    told = parser.parse_args()
    server = make_server(Desk(told.texts, told.notes))
    server.run("streamable-http", host=told.host, port=told.port)


if __name__ == "__main__":
    main()
