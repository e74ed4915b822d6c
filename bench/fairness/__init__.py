"""What one tenant notices of another that floods."""
