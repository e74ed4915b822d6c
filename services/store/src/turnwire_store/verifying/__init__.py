"""Whether the views say what the log says: a digest of either, and where they differ."""
