"""Conversations: what they are called, where their next turn belongs, and the items in them."""
