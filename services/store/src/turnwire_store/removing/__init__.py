"""Removes for ever: all of a tenant or user, and responses whose time is over."""
