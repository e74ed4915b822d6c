"""The guard in a turn: what it is asked, what waits for it, and what is left of what it blocks."""
