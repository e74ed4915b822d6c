"""Deterministic simulation: the product's code on a simulated broker, clock and network."""
