"""Drives each turn from its events to its end: history, inference, frames."""
