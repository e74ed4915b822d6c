"""What services must agree on about MCP servers: the operator's registry, and sealed secrets."""
