"""The groups of `turnwire --help`, in their order."""

from collections import defaultdict
from typing import Any, Final

from typer.core import TyperGroup

ASK: Final = "Ask"
LOOK: Final = "Look"
ACT: Final = "Act"
DEBUG: Final = "Debug"
SERVERS: Final = "Servers"
BROKER: Final = "On the machine that runs Turnwire, or that sees its broker"

_ORDER: Final = (ASK, LOOK, ACT, DEBUG, SERVERS, BROKER)
_WHOLE: Final = 1000
"""Longer than any command's first sentence, which is so never cut."""


class PanelGroup(TyperGroup):
    """A group whose help shows its commands by panels.

    Without rich, whose import takes longer than all else that a help does.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names of commands by their panels."""
        return sorted(super().list_commands(ctx), key=lambda name: _ORDER.index(self._panel(name)))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each panel."""
        panels: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for name in self.list_commands(ctx):
            about = self.commands[name].get_short_help_str(_WHOLE)
            panels[self._panel(name)].append((name, about))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def _panel(self, name: str) -> str:
        return getattr(self.commands[name], "rich_help_panel", "")
