"""What the operator does with what tenants have: erase it, and see who did what to it."""
