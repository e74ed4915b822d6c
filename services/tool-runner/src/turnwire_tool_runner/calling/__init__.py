"""Limits, deadlines and cancellation of calls."""
