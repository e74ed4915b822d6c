"""What keeps the content of views unreadable without a key that can be destroyed."""
