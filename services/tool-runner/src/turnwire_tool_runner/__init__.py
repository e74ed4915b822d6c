"""The tool-runner: the one service that talks to MCP servers."""
