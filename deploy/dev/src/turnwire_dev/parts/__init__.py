"""What a running Turnwire is made of: how each part is started and seen to work."""
