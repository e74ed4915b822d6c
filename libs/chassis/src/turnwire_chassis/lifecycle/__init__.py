"""The lifecycle of a service: what probes read, and what it finishes before it ends."""
