"""One method per route: read the request, do it, say what came of it."""
