"""The backend over HTTP, and how its answers are read."""
