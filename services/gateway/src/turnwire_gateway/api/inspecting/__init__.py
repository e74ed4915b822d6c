"""What responses did: lists of them, and what the log has of each."""
