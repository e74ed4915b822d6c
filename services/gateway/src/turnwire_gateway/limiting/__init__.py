"""How much a tenant and a key may do, and who is let in."""
