"""One turn told from its events: where they come from, and what they add up to."""
