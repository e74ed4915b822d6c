"""What the tests of other people's MCP servers stand on."""
