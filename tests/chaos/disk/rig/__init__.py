"""Disks that get full, and calls of the system that fail."""
