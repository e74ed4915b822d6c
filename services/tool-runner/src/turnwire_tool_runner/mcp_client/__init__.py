"""MCP servers over streamable HTTP: the one room that knows the SDK and its HTTP client."""
