"""MCP servers of others, and MCP's own conformance suite, with our tool-runner as the client."""
