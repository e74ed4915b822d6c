"""Connections to where a client says: vetted, bounded, and never to where it should not lead."""
