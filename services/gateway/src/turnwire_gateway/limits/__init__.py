"""How much a tenant and a key may use."""
