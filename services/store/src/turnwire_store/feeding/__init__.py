"""The log as the store reads it: everything in its order, and where it ends."""
