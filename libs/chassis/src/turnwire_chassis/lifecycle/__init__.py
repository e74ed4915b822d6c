"""How a service comes and goes: what it tells probes, and what it finishes before it ends."""
