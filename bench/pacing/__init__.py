"""Streams at the pace of a real model: what each token costs, and how evenly it arrives."""
