"""The operations of administration, and what they answer."""
