"""The tool-runner: talks to MCP servers, so that nobody else has to."""
