"""MCP servers over streamable HTTP: the only package that imports the SDK and its HTTP client."""
