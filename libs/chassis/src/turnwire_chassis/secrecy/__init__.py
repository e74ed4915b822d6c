"""Keys of secrets, and what keeps secrets out of what is written for people."""
