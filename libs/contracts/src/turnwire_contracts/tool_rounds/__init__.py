"""Rounds of tools: the calls of MCP tools, and what a turn has told before its last sample."""
