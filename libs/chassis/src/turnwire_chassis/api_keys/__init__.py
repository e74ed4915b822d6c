"""API keys: how they are written, what is kept of them, and where."""
