"""Secrets that are told to a stack, and the search for them in every place."""
