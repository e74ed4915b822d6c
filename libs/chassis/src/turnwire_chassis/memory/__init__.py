"""The ports in memory: doubles for tests of handlers."""
