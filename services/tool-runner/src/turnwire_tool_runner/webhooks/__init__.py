"""Delivers events to webhooks: at least once, with back-off, and none waits for a slow receiver."""
