"""What is settled before a turn is requested."""
