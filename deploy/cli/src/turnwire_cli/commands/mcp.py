"""`turnwire mcp`: what the log knows, as tools of an MCP server, so that an agent can debug one."""

import importlib.util

import typer

from turnwire_cli.calling import Call, declared
from turnwire_cli.panels import DEBUG


def declare(app: typer.Typer) -> None:
    """Add the command."""
    declared(app, "mcp", panel=DEBUG, server="read")(mcp)


def mcp(call: Call) -> None:
    """Serve the read side of the API to an agent, as an MCP server on standard input and output.

    Tools: list responses, read one, its events and story, state, timeline, prompt; diff; explain.
    Nothing is changed, and no tool can.
    """
    if importlib.util.find_spec("mcp") is None:
        call.fail("The package mcp is not installed: pip install 'turnwire-cli[mcp]'")
    # Loads MCP and all that it needs, a second.
    from turnwire_cli.mcp_server import serve  # noqa: PLC0415 -- see above

    serve(call.client)
